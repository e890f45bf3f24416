"""dfplan's own planner behind requests: noise becomes a level, commitments are kept, and a real process does it."""

import argparse
import json
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_model import line_model, tiny_model

from dfplan.cli.folders import bundled_weights
from dfplan.errors import UserError
from dfplan.planner import PlannerSettings
from dfplan.planner.constraints import Constraints
from dfplan.realtime import ActionQueue, PlannerProcess, PlanningSupervisor
from dfplan.realtime.planner_program import PlanMaker, _constraints, _settings, level_of_noise
from dfplan.realtime.plans import plan_fields
from dfplan.realtime.process import planner_command
from dfplan.realtime.supervisor import Request
from dfplan.realtime.wire import HEADER_BYTES, Message, decode, encode
from dfplan.scorers import ReturnScorer

STATE = np.array([1.0, 1.0, 0.0, 0.0])


def _message(*, step=0, episode=0, seed=0, noise=0.0, committed=None, passed=()):
    """A request as it arrives."""
    sent = encode(
        "request",
        id=1,
        seed=seed,
        episode=episode,
        step=step,
        observation=STATE,
        observation_noise=np.full(4, noise),
        goal=np.array([14.0, 14.0]),
        committed=np.zeros((0, 2)) if committed is None else committed,
        passed=np.array(passed, np.float64),
    )
    return decode(sent[HEADER_BYTES:])


def _maker(**settings):
    return PlanMaker(tiny_model(), settings=PlannerSettings(num_candidates=2, **settings), horizon=40)


def test_noise_has_the_level_at_which_the_model_has_seen_as_much():
    model = tiny_model()  # linear schedule: sigma / alpha is level / (1 - level)
    std = model.normalizer.observation_std.numpy()
    assert level_of_noise(np.zeros(4), model=model) == 0
    for level in (0.1, 0.25, 0.4):
        assert level_of_noise(std * level / (1 - level), model=model) == pytest.approx(level, abs=2e-3)
    assert level_of_noise(np.full(4, 1e6), model=model) == 0.5


def test_a_noisy_observation_is_shown_at_its_level_and_never_below_the_settings():
    assert _maker()(_message())[1] == 0
    assert _maker(stabilization_level=0.2)(_message())[1] == 0.2
    plan, level = _maker(stabilization_level=0.2)(_message(noise=1.0))
    assert 0.2 < level < 0.5
    clean, _ = _maker()(_message())
    assert not np.array_equal(plan.actions, clean.actions)


def test_the_seed_of_the_request_decides_the_plan():
    maker = _maker()
    first, again, other = (maker(_message(seed=seed))[0].actions for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_plans_begin_with_what_is_committed_and_so_join_without_a_jump():
    maker, queue = _maker(), ActionQueue()
    queue.join(maker(_message())[0], observation=STATE, elapsed=0)
    for delay in (1, 3, 7):  # a part of a token of 4 steps, and a token and a part
        committed = queue.upcoming(delay).astype(np.float64)
        plan, _ = maker(_message(seed=delay, committed=committed))
        queue.advance(delay - 1)
        last = queue.act(None)
        queue.join(plan, observation=STATE, elapsed=delay - 1)
        np.testing.assert_allclose(queue.act(None), last, atol=1e-6)
        np.testing.assert_allclose(plan.actions[0, :delay], committed, atol=1e-6)


def test_warming_up_says_how_long_a_plan_takes():
    assert 0 < _maker().warm_up() < 5


CONSTRAINTS = Constraints(
    keep_out=[[2.0, 3.7, 0.4], [0, 0, 0.1, 0.1]],
    keep_in=[[0.0, 0.0, 12.0, 12.0]],
    waypoints=[[7, 1], [5, 1]],
    in_order=True,
    max_speed=4.0,
)


def test_constraints_travel_as_values_on_the_command_line():
    assert Constraints(**json.loads(json.dumps(CONSTRAINTS.as_values()))) == CONSTRAINTS
    (word,) = [each for each in planner_command("w", horizon=8, constraints=CONSTRAINTS) if "constraints" in each]
    assert _constraints(word.removeprefix("--constraints=")) == CONSTRAINTS
    assert not [each for each in planner_command("w", horizon=8, constraints=Constraints()) if "constraints" in each]
    with pytest.raises(UserError, match=r"constraints that travel are values .* len cannot, being functions"):
        planner_command("w", horizon=8, constraints=Constraints(functions=[len]))


@pytest.mark.parametrize(
    "text", ["", "3", "[]", '{"functions": [1]}', '{"walls": []}', '{"max_speed": -1}', '{"keep_out": [[1]]}']
)
def test_constraints_that_are_none_are_refused(text):
    with pytest.raises(argparse.ArgumentTypeError):
        _constraints(text)


def test_plans_keep_what_must_be_kept_and_say_what_they_do_not():
    def plan(passed=(), **asked):
        maker = PlanMaker(
            line_model(),
            settings=PlannerSettings(num_candidates=2),
            horizon=80,
            constraints=Constraints(**asked),
        )
        request = _message(passed=passed)
        return maker(Message("request", {**request.fields, "goal": np.array([1.0, 4.0])}))[0]

    passes = plan(waypoints=[[3.0, 2.5]])
    assert plan_fields(passes)["broken"] == ""
    assert np.linalg.norm(passes.observations[0, :, :2] - [3.0, 2.5], axis=1).min() < 0.5
    assert np.linalg.norm(plan((1,), waypoints=[[3.0, 2.5]]).observations[0, :, :2] - [3.0, 2.5], axis=1).min() > 1
    assert plan_fields(plan(waypoints=[[9, 9]]))["broken"] == "waypoints"
    with pytest.raises(UserError, match="1 way-points are to be passed; 2 are told of"):
        plan((1, 0), waypoints=[[3.0, 2.5]])


@pytest.mark.slow
def test_the_real_planner_in_a_real_process():
    torch.set_num_threads(1)
    command = planner_command(
        bundled_weights() / "maze2d-large",
        horizon=160,
        settings={"num_candidates": 4},
        constraints=Constraints(max_speed=2.0),
    )
    planning = PlanningSupervisor(
        PlannerProcess(command),
        action_low=-np.ones(2),
        action_high=np.ones(2),
        observation_dim=4,
        clock=time.monotonic,
        plan_timeout=30.0,
    )
    planning.start()
    try:
        assert planning.plan_seconds > 0
        committed = np.random.default_rng(0).uniform(-1, 1, size=(20, 2))
        zeros = np.zeros(4)
        planning.submit(
            Request(
                episode=0,
                step=0,
                seed=0,
                observation=STATE,
                observation_noise=zeros,
                goal=np.array([7.0, 9.0]),
                committed=committed,
            )
        )
        while planning.is_busy:
            update = planning.update(timeout=1.0)
        plan = update.answer.plan
        assert update.answer.broken == ()
        moves = np.linalg.norm(np.diff(plan.observations[0, :, :2], axis=0), axis=1)
        assert moves.max() <= 1.01 * 2.0 * 0.01 * plan.steps_per_point
        np.testing.assert_allclose(plan.actions[0, :20], committed, atol=1e-6)
        assert np.abs(plan.observations[0, 0, :2] - STATE[:2]).max() < 1
    finally:
        planning.close()


def test_settings_are_numbers_and_true_is_one():
    said = {"num_candidates": 3, "roll_out": True, "temperature": 0.1}
    command = planner_command(bundled_weights() / "maze2d-large", horizon=8, settings=said)
    options = [option.removeprefix("--set=") for option in command if option.startswith("--set=")]
    assert _settings(options) == PlannerSettings(**said)


def test_a_planner_that_knows_no_map_warms_up_too():
    model = replace(tiny_model(), scorer=ReturnScorer())
    assert PlanMaker(model, settings=PlannerSettings(num_candidates=2), horizon=8).warm_up() > 0
