"""Plans that take steps to make: what is carried out when, what the planner is told, and what joins without a seam."""

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pytest
from tiny_model import POINT_MASS, line_model, tiny_denoiser, tiny_model

from dfplan.agent import InferenceDelay, MPCAgent, PlannedActions, ShootingTracker
from dfplan.errors import UserError
from dfplan.planner import Planner, PlannerSettings, TreePlanner
from dfplan.types import Bounds, Plan

# Too far away for any plan to end early.
START, GOALS = np.array([[1.0, 1.0, 0.0, 0.0]]), np.array([[14.0, 14.0]])
MOTION = np.array([0.01, 0.0, 0.0, 0.0])


@dataclass
class Clock:
    """Is shown what the time is, and plans actions that say when they were planned and for when."""

    observation_dim: int = 1
    goal_dim: int = 0
    supports_rtc: bool = True
    action_bounds: Bounds = field(default_factory=lambda: Bounds(np.full(2, -1e6), np.full(2, 1e6)))
    told: list[tuple[int, np.ndarray]] = field(default_factory=list)

    def plan(self, observations, goals, *, horizon, generators, committed=None):
        self.told += [(int(observations[row, 0]), each) for row, each in enumerate(committed or [])]
        batch, ahead = len(observations), np.arange(horizon)
        planned_at = np.broadcast_to(observations[:, :1], (batch, horizon))
        num_steps = np.full(batch, horizon)
        return Plan(
            observations=np.zeros((batch, horizon, 1)),
            actions=np.stack([planned_at, planned_at + ahead], axis=-1).astype(np.float32),
            rewards=np.zeros((batch, horizon)),
            arrival=num_steps + 1,
            num_steps=num_steps,
            value=np.zeros(batch),
            steps_per_point=1,
        )


def _told_by_a_clock(*, delay, replan_every, horizon=8, steps=40, tells=True):
    """Actions ``(steps, 2)``, when each was planned and for when; and what the planner was told."""
    clock = Clock()
    agent = MPCAgent(
        clock,
        controller=PlannedActions(),
        replan_every=replan_every,
        horizon=horizon,
        delay=InferenceDelay(delay, tells),
    )
    agent.reset(seeds=[0])
    return np.concatenate([agent.act(np.array([[float(step)]])) for step in range(steps)]), clock.told


@pytest.mark.parametrize("replan_every", [2, 5])
@pytest.mark.parametrize("delay", [0, 1, 2, 4, 8])
def test_an_action_is_of_the_newest_plan_that_is_there_by_then(delay, replan_every):
    actions, told = _told_by_a_clock(delay=delay, replan_every=replan_every)
    often = max(delay, replan_every)
    for step, (planned_at, planned_for) in enumerate(actions):
        assert planned_for == step  # never another step's, and never idle though the horizon is short
        assert planned_at == max(0, (step - delay) // often * often)
    if delay:
        assert [at for at, _ in told] == list(range(0, len(actions), often))


@pytest.mark.parametrize("delay", [1, 3])
def test_what_the_planner_is_told_is_what_is_carried_out(delay):
    actions, told = _told_by_a_clock(delay=delay, replan_every=4)
    assert told[0][1].shape == (0, 2)  # the first plan is waited for
    for at, committed in told[1:-1]:
        np.testing.assert_array_equal(committed, actions[at : at + delay])


def test_a_planner_that_is_not_told_is_asked_as_ever():
    told_to, told = _told_by_a_clock(delay=3, replan_every=4)
    actions, untold = _told_by_a_clock(delay=3, replan_every=4, tells=False)
    assert told
    assert not untold
    np.testing.assert_array_equal(actions, told_to)  # a clock does not mind


def _agent(planner=None, *, delay=0, tells=True, **options):
    planner = planner or Planner(tiny_model(), settings=PlannerSettings(num_candidates=2))
    usual = {"controller": PlannedActions(), "replan_every": 4, "horizon": 12, "delay": InferenceDelay(delay, tells)}
    return MPCAgent(planner, **(usual | options))


def _act(agent, *, steps=24, batch=1):
    """Actions ``(steps, batch, 2)`` of an agent whose robot moves on whatever it says."""
    agent.reset(seeds=range(batch), goals=np.repeat(GOALS, batch, axis=0))
    return np.stack([agent.act(START.repeat(batch, 0) + step * MOTION) for step in range(steps)])


def test_without_a_delay_nothing_changes():
    expected = _act(_agent())
    for tells in (True, False):
        np.testing.assert_array_equal(_act(_agent(delay=0, tells=tells)), expected)


@pytest.mark.parametrize("delay", [1, 4, 6])  # tokens have four steps
def test_a_plan_begins_with_what_is_carried_out_until_it_is_there(delay):
    events = []
    agent = _agent(delay=delay, on_plan=events.append)
    actions = _act(agent)
    assert [event.step for event in events] == list(range(0, 24, max(4, delay)))
    for before, event in pairwise(events):
        if (there := event.step + delay) <= len(actions):
            np.testing.assert_allclose(actions[event.step : there, 0], event.plan.actions[0, :delay], atol=1e-6)
            assert not np.allclose(event.plan.actions[0, delay], before.plan.actions[0, delay])


def test_rows_that_begin_at_other_times_are_told_of_their_own():
    """The second row begins anew while the first goes on: it has a first plan of its own, and disturbs nobody."""
    agents = [_agent(Planner(line_model(spread=0.3), settings=PlannerSettings()), delay=2) for _ in range(2)]
    for agent in agents:
        agent.reset(seeds=range(2), goals=np.repeat(GOALS, 2, axis=0))
    found = []
    for step in range(16):
        if step == 5:
            agents[1].restart(np.array([1]))
        shown = START.repeat(2, 0) + step * MOTION
        found.append([agent.act(shown) for agent in agents])
    calm, disturbed = np.array(found).swapaxes(0, 1)
    np.testing.assert_allclose(disturbed[:, 0], calm[:, 0], atol=1e-5)
    assert not np.allclose(disturbed[5:, 1], calm[5:, 1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"delay": -1}, "inference_delay must be a whole number from 0; got -1"),
        ({"delay": 1, "controller": ShootingTracker(POINT_MASS, goal_radius=0.5)}, "controller=actions"),
        (
            {
                "delay": 1,
                "planner": TreePlanner(tiny_model(), settings=PlannerSettings(num_candidates=2), max_nodes=4),
            },
            "prev_chunk_left_over=false",
        ),
    ],
)
def test_what_cannot_be_delayed_is_refused(options, message):
    with pytest.raises(UserError, match=message):
        _agent(**options)


@pytest.mark.parametrize(
    ("settings", "delay", "expected"),
    [
        ({"num_candidates": 1}, 0, 4),
        ({"num_candidates": 1}, 4, 8),
        ({"num_candidates": 2}, 0, 12),
        ({"num_candidates": 2}, 8, 16),
    ],
)
def test_one_sample_is_planned_no_further_than_it_is_carried_out(settings, delay, expected):
    events = []
    planner = Planner(line_model(), settings=PlannerSettings(**settings))
    agent = _agent(planner, delay=delay, on_plan=events.append)
    agent.reset(seeds=[0], goals=GOALS)
    for _ in range(20):
        agent.act(START)
    assert {int(event.plan.num_steps[0]) for event in events} == {expected}


def test_a_sample_of_a_network_that_looks_back_is_planned_as_far_as_ever():
    events = []
    planner = Planner(tiny_model(tiny_denoiser(causal=False)), settings=PlannerSettings(num_candidates=1))
    _act(_agent(planner, on_plan=events.append), steps=1)
    assert events[0].plan.num_steps.tolist() == [12]
