"""Queue and path: which step of a plan is played when, and what is done without an observation."""

import numpy as np
import pytest
from tiny_model import POINT_MASS

from dfplan.agent import PlannedActions, ShootingTracker
from dfplan.realtime.followers import ActionQueue, PathFollower
from dfplan.realtime.motion import integrator_motion
from dfplan.realtime.plans import plan_of_actions
from dfplan.types import Plan

START = np.array([1.0, 1.0, 0.0, 0.0])


def straight_plan(*, num_steps: int = 8, spacing: int = 4) -> Plan:
    """Along x by 0.1 a step; action ``j`` is ``(j / 10, 0)``."""
    points = START + np.outer(np.arange(1, num_steps // spacing + 1) * spacing * 0.1, [1, 0, 0, 0])
    return Plan(
        observations=points[None],
        actions=np.stack([np.arange(num_steps) / 10, np.zeros(num_steps)], axis=1)[None].astype(np.float32),
        rewards=np.zeros((1, 1)),
        arrival=np.array([num_steps + 1]),
        num_steps=np.array([num_steps]),
        value=np.zeros(1),
        steps_per_point=spacing,
    )


def test_a_queue_plays_the_action_of_the_step():
    queue = ActionQueue()
    assert queue.act(START) is None
    assert queue.remaining == 0
    assert len(queue.upcoming(3)) == 0
    queue.join(straight_plan(), observation=START, elapsed=2)
    assert queue.act(None)[0] == pytest.approx(0.2)
    assert queue.act(None)[0] == pytest.approx(0.2)  # looking does not move it
    np.testing.assert_allclose(queue.upcoming(3)[:, 0], [0.2, 0.3, 0.4], rtol=1e-6)
    queue.advance(4)
    assert (queue.remaining, len(queue.upcoming(9))) == (2, 2)
    queue.advance(3)
    assert queue.act(START) is None
    assert queue.remaining == 0
    queue.reset(np.zeros(2))
    assert queue.remaining == 0


def test_a_queue_knows_how_far_it_is_from_its_plan():
    queue = ActionQueue()
    queue.reset(np.zeros(2))
    assert queue.disagreement(START) == 0
    queue.join(straight_plan(), observation=START, elapsed=0)
    assert queue.disagreement(START) == 0
    queue.advance(2)  # half way to the first state
    assert queue.disagreement(START) == pytest.approx(0.2)
    assert queue.disagreement(START + np.array([0.2, 0.3, 9, 9])) == pytest.approx(0.3)
    assert queue.needs_plan(START)


def test_actions_alone_are_a_plan():
    queue = ActionQueue()
    queue.join(plan_of_actions(np.ones((3, 2))), observation=START, elapsed=1)
    assert queue.remaining == 2
    assert queue.disagreement(START + 5) == 0


def _follower(controller=None):
    return PathFollower(
        controller or ShootingTracker(POINT_MASS, goal_radius=0.5), motion=integrator_motion(POINT_MASS)
    )


def test_a_path_is_driven_as_its_controller_drives():
    follower, shooting = _follower(), ShootingTracker(POINT_MASS, goal_radius=0.5)
    goal = np.array([5.0, 1.0])
    follower.reset(goal)
    assert follower.act(START) is None
    follower.join(straight_plan(num_steps=32), observation=START, elapsed=1)
    shooting.reset(goal[None])
    shooting.follow(straight_plan(num_steps=32), indices=np.zeros(1, int), observations=START[None])
    np.testing.assert_array_equal(follower.act(START), shooting.act(START[None])[0])
    assert follower.remaining == 31
    assert len(follower.upcoming(3)) == 0


def test_a_path_ends_with_its_plan_but_a_goal_is_held_for_ever():
    follower = _follower()
    follower.reset(np.array([5.0, 1.0]))
    follower.join(straight_plan(), observation=START, elapsed=0)
    follower.advance(8)
    assert follower.act(START) is None
    at_goal = np.array([5.0, 1.1, 0.0, 0.0])
    assert not follower.needs_plan(at_goal)
    assert np.isfinite(follower.act(at_goal)).all()


def test_without_an_observation_a_path_is_driven_by_reckoning():
    follower, motion = _follower(), integrator_motion(POINT_MASS)
    follower.reset(np.array([5.0, 1.0]))
    assert follower.act(None) is None
    follower.join(straight_plan(num_steps=32), observation=START, elapsed=0)
    seen, state, blind = _follower(), START, [follower.act(START)]
    seen.reset(np.array([5.0, 1.0]))
    seen.join(straight_plan(num_steps=32), observation=START, elapsed=0)
    sighted = [seen.act(state)]
    for _ in range(10):
        follower.advance(1)
        seen.advance(1)
        state = motion(state, sighted[-1])
        blind.append(follower.act(None))
        sighted.append(seen.act(state))
    np.testing.assert_array_equal(blind, sighted)


def test_a_path_is_left_by_the_distance_to_its_nearest_point():
    follower = _follower(PlannedActions())
    assert follower.disagreement(START) == 0
    follower.reset(np.array([5.0, 1.0]))
    follower.join(straight_plan(), observation=START, elapsed=0)
    assert follower.disagreement(START + np.array([0.4, 0.7, 3, 3])) == pytest.approx(0.7)
