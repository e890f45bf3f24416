"""dfplan's own planner behind requests: noise becomes a level, commitments are kept, and a real process does it."""

import time

import numpy as np
import pytest
import torch
from tiny_model import tiny_model

from dfplan.cli.folders import bundled_weights
from dfplan.planner import PlannerSettings
from dfplan.realtime import ActionQueue, PlannerProcess, PlanningSupervisor
from dfplan.realtime.planner_program import PlanMaker, level_of_noise
from dfplan.realtime.process import planner_command
from dfplan.realtime.supervisor import Request
from dfplan.realtime.wire import HEADER_BYTES, decode, encode

STATE = np.array([1.0, 1.0, 0.0, 0.0])


def _message(*, step=0, episode=0, seed=0, noise=0.0, committed=None):
    """A request as it arrives."""
    sent = encode(
        "request",
        id=1,
        seed=seed,
        episode=episode,
        step=step,
        observation=STATE,
        observation_noise=np.full(4, noise),
        goal=np.array([50.0, 50.0]),
        committed=np.zeros((0, 2)) if committed is None else committed,
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
    assert _maker(context_level=0.2)(_message())[1] == 0.2
    plan, level = _maker(context_level=0.2)(_message(noise=1.0))
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


@pytest.mark.slow
def test_the_real_planner_in_a_real_process():
    torch.set_num_threads(1)
    command = planner_command(bundled_weights() / "maze2d-large", horizon=160, settings={"num_candidates": 4})
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
        np.testing.assert_allclose(plan.actions[0, :20], committed, atol=1e-6)
        assert np.abs(plan.observations[0, 0, :2] - STATE[:2]).max() < 1
    finally:
        planning.close()
