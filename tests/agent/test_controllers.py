"""Controllers on plans made by hand, ShootingTracker in the real open maze."""

from dataclasses import replace

import gymnasium
import numpy as np
import pytest
from tiny_model import POINT_MASS

from dfplan.agent import PlannedActions, ShootingTracker
from dfplan.types import Plan

STEPS_PER_POINT = 8


def _plan(actions, *, num_steps=None):
    """Plans that matter for their actions ``(batch, steps, 2)`` alone."""
    batch, steps = actions.shape[:2]
    num_steps = np.full(batch, steps) if num_steps is None else np.array(num_steps)
    return Plan(
        observations=np.zeros((batch, steps, 4)),
        actions=actions.astype(np.float32),
        rewards=np.zeros((batch, steps)),
        arrival=num_steps + 1,
        num_steps=num_steps,
        value=np.zeros(batch),
        steps_per_point=1,
    )


def _straight_plans(starts, goals, *, num_points=60):
    """Plans along straight lines at a modest speed that stop at their goals."""
    way = goals - starts
    gone = np.minimum(0.2 * np.arange(1, num_points + 1)[None, :, None] / np.linalg.norm(way, axis=1)[:, None, None], 1)
    positions = starts[:, None] + gone * way[:, None]
    inside = np.linalg.norm(positions - goals[:, None], axis=-1) <= 0.5
    num_steps = np.full(len(starts), num_points * STEPS_PER_POINT)
    return Plan(
        observations=np.concatenate([positions, np.zeros_like(positions)], axis=-1),
        actions=np.zeros((len(starts), num_steps[0], 2), np.float32),
        rewards=np.zeros((len(starts), num_points)),
        arrival=(inside.argmax(axis=1) + 1) * STEPS_PER_POINT,
        num_steps=num_steps,
        value=np.zeros(len(starts)),
        steps_per_point=STEPS_PER_POINT,
    )


def _drive(controller, *, start, goal, steps, seed=0):
    """Follow one straight plan in the open maze; positions ``(steps, 2)`` and distances to the goal ``(steps,)``."""
    env = gymnasium.make("dfplan_envs:maze2d-open-v0", goal="random", max_episode_steps=steps + 1)
    state, info = env.reset(seed=seed, options={"start": start, "goal": goal})
    goals = info["goal"][None]
    controller.reset(goals)
    plan = _straight_plans(state[None, :2], goals)
    controller.follow(plan, indices=np.array([0]), observations=state[None])
    positions = []
    for _ in range(steps):
        state, *_ = env.step(controller.act(state[None])[0])
        positions.append(state[:2])
    env.close()
    return np.array(positions), np.linalg.norm(np.array(positions) - goals, axis=1)


@pytest.fixture
def shooting():
    return ShootingTracker(POINT_MASS, goal_radius=0.5)


def test_planned_actions_are_played_back_and_then_nothing():
    actions = np.random.default_rng(0).uniform(-1, 1, size=(2, 5, 2))
    controller = PlannedActions()
    controller.reset(np.zeros((2, 2)))
    controller.follow(_plan(actions), indices=np.arange(2), observations=np.zeros((2, 4)))
    played = np.stack([controller.act(np.zeros((2, 4))) for _ in range(7)], axis=1)
    np.testing.assert_array_equal(played[:, :5], actions.astype(np.float32))
    assert (played[:, 5:] == 0).all()
    assert played.dtype == np.float32


def test_what_lies_beyond_num_steps_is_not_played():
    controller = PlannedActions()
    controller.reset(np.zeros((2, 2)))
    plan = _plan(np.ones((2, 4, 2)), num_steps=[4, 2])
    controller.follow(plan, indices=np.arange(2), observations=np.zeros((2, 4)))
    played = np.stack([controller.act(np.zeros((2, 4))) for _ in range(4)], axis=1)
    assert played[..., 0].tolist() == [[1, 1, 1, 1], [1, 1, 0, 0]]


def test_a_new_plan_for_one_row_leaves_the_others_alone():
    controller = PlannedActions()
    controller.reset(np.zeros((3, 2)))
    ramp = np.arange(1, 7)[None, :, None] / 10 * np.ones((3, 1, 2))
    controller.follow(_plan(ramp), indices=np.arange(3), observations=np.zeros((3, 4)))
    controller.act(np.zeros((3, 4)))
    controller.follow(_plan(-ramp[:1]), indices=np.array([1]), observations=np.zeros((1, 4)))
    np.testing.assert_allclose(controller.act(np.zeros((3, 4)))[:, 0], [0.2, -0.1, 0.2])
    np.testing.assert_allclose(controller.act(np.zeros((3, 4)))[:, 0], [0.3, -0.2, 0.3])


def test_without_a_plan_nothing_is_done_and_a_reset_forgets():
    controller = PlannedActions()
    controller.reset(np.zeros((2, 2)))
    assert (controller.act(np.zeros((2, 4))) == 0).all()
    controller.follow(_plan(np.ones((2, 4, 2))), indices=np.arange(2), observations=np.zeros((2, 4)))
    controller.reset(np.zeros((2, 2)))
    assert (controller.act(np.zeros((2, 4))) == 0).all()
    assert controller.needs_plan(np.zeros((2, 4))).all()


def test_planned_actions_disagree_by_the_distance_from_where_the_plan_is_now():
    controller = PlannedActions()
    controller.reset(np.zeros((2, 2)))
    assert np.isinf(controller.disagreement(np.zeros((2, 4)))).all()  # no plan, nothing to agree with
    starts = np.array([[1.0, 1.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0]])
    plan = _straight_plans(starts[:, :2], np.array([[5.0, 1.0], [1.0, 5.0]]), num_points=3)  # 0.2 in 8 steps
    controller.follow(plan, indices=np.arange(2), observations=starts)
    found = []
    for _ in range(25):
        found.append(controller.disagreement(starts))
        controller.act(starts)
    np.testing.assert_allclose(np.array(found)[:24, 0], 0.025 * np.arange(24), atol=1e-9)
    np.testing.assert_allclose(np.array(found)[:24, 1], 0.025 * np.arange(24), atol=1e-9)
    assert np.isinf(found[24]).all()


def test_shooting_disagrees_by_the_distance_from_the_path_unless_it_is_ahead_of_it(shooting):
    starts, goals = np.array([[1.0, 1.0], [1.0, 1.0]]), np.array([[1.0, 5.0], [1.0, 5.0]])
    shooting.reset(goals)
    at = np.pad(starts, [(0, 0), (0, 2)])
    shooting.follow(_straight_plans(starts, goals), indices=np.arange(2), observations=at)
    elsewhere = np.array([[1.0, 1.5, 0.0, 0.0], [1.7, 2.0, 0.0, 0.0]])
    np.testing.assert_allclose(shooting.disagreement(at), [0, 0], atol=1e-9)
    np.testing.assert_allclose(shooting.disagreement(elsewhere), [0, 0.7], atol=0.01)


def test_shooting_that_is_stuck_disagrees_more_with_every_step(shooting):
    start, goal = np.array([[1.0, 1.0, 0.0, 0.0]]), np.array([[1.0, 5.0]])
    shooting.reset(goal)
    shooting.follow(_straight_plans(start[:, :2], goal), indices=np.array([0]), observations=start)
    found = []
    for _ in range(81):
        found.append(shooting.disagreement(start)[0])
        shooting.act(start)
    # The plan moves 0.2 in 8 steps; the path's points lie 0.1 apart.
    np.testing.assert_allclose(found, 0.025 * np.arange(81), atol=0.101)
    assert found[80] == pytest.approx(2.0, abs=1e-6)


def test_shooting_asks_for_more_at_the_end_of_a_path_that_stops_short(shooting):
    start, goal = np.array([[1.0, 1.0, 0.0, 0.0]]), np.array([[1.0, 5.0]])
    shooting.reset(goal)
    plan = replace(_straight_plans(start[:, :2], goal, num_points=4), arrival=np.array([33]))
    shooting.follow(plan, indices=np.array([0]), observations=start)
    end = np.array([[1.0, 1.8, 0.0, 0.0]])
    assert np.isfinite(shooting.disagreement(end)).all()  # it has not moved there yet
    shooting.act(end)
    assert np.isinf(shooting.disagreement(end)).all()


@pytest.mark.parametrize(("start", "goal"), [((1, 1), (3, 5)), ((3, 5), (1, 1)), ((1, 1), (1, 5)), ((3, 1), (1, 1.5))])
def test_shooting_reaches_the_goal_fast_and_stays(shooting, start, goal):
    _, distance = _drive(shooting, start=start, goal=goal, steps=300)
    reached = int((distance <= 0.5).argmax())
    # An axis moves at 0.05 a step at most; a second to get going and to turn is given on top.
    least = (np.abs(np.subtract(goal, start)).max() - 0.5) / 0.05
    assert (distance <= 0.5).any()
    assert reached <= 1.2 * least + 40
    assert (distance[reached:] <= 0.5).all()
    assert distance[-1] < 0.1


def test_shooting_stays_near_the_planned_line(shooting):
    start, goal = np.array([1.0, 1.0]), np.array([3.0, 5.0])
    positions, _ = _drive(shooting, start=tuple(start), goal=tuple(goal), steps=200)
    along = (goal - start) / np.linalg.norm(goal - start)
    offset = positions - start
    aside = np.abs(offset[:, 0] * along[1] - offset[:, 1] * along[0])
    assert aside.max() < 0.3


def test_a_new_plan_is_followed_from_its_start():
    starts, goals = np.array([[1.0, 1.0]]), np.array([[3.0, 5.0]])
    driven, fresh = (ShootingTracker(POINT_MASS, goal_radius=0.5) for _ in range(2))
    driven.reset(goals)
    driven.follow(_straight_plans(starts, goals), indices=np.array([0]), observations=np.pad(starts, [(0, 0), (0, 2)]))
    for share in np.linspace(0, 0.8, 40):
        driven.act(np.pad(starts + share * (goals - starts), [(0, 0), (0, 2)]))
    fresh.reset(goals)
    detour = np.array([[1.0, 4.0]])
    for controller in (driven, fresh):
        plan = _straight_plans(starts, detour)
        controller.follow(plan, indices=np.array([0]), observations=np.pad(starts, [(0, 0), (0, 2)]))
    at_start = np.pad(starts, [(0, 0), (0, 2)])
    np.testing.assert_array_equal(driven.act(at_start), fresh.act(at_start))


def test_shooting_wants_a_plan_outside_the_disc_alone(shooting):
    shooting.reset(np.array([[2.0, 2.0], [2.0, 2.0], [2.0, 2.0]]))
    observations = np.array([[2.0, 2.49, 1.0, 0.0], [2.0, 2.51, 0.0, 0.0], [5.0, 5.0, 0.0, 0.0]])
    assert shooting.needs_plan(observations).tolist() == [False, True, True]


def test_shooting_without_a_plan_heads_for_the_goal(shooting):
    shooting.reset(np.array([[3.0, 1.0], [1.0, 3.0]]))
    actions = shooting.act(np.array([[1.0, 1.0, 0.0, 0.0], [1.0, 1.0, 0.0, 0.0]]))
    assert actions[0].tolist() == [1.0, 0.0]
    assert actions[1].tolist() == [0.0, 1.0]


def test_rows_of_a_batch_do_not_depend_on_each_other():
    starts = np.array([[1.0, 1.0], [3.0, 5.0], [2.0, 2.0], [1.0, 4.0]])
    goals = np.array([[3.0, 5.0], [1.0, 1.0], [2.1, 2.0], [3.0, 1.0]])
    plans = _straight_plans(starts, goals)
    generator = np.random.default_rng(0)
    observations = np.concatenate([starts, generator.uniform(-1, 1, size=(4, 2))], axis=1)
    moves = generator.uniform(-0.03, 0.03, size=(30, 4, 4))

    def actions_of(rows):
        controller = ShootingTracker(POINT_MASS, goal_radius=0.5)
        controller.reset(goals[rows])
        part = {name: getattr(plans, name)[rows] for name in ("observations", "actions", "rewards", "value")}
        steps = {name: getattr(plans, name)[rows] for name in ("arrival", "num_steps")}
        plan = Plan(**part, **steps, steps_per_point=STEPS_PER_POINT)
        controller.follow(plan, indices=np.arange(len(rows)), observations=observations[rows])
        now, found = observations[rows].copy(), []
        for move in moves[:, rows]:
            found.append(controller.act(now))
            now = now + move
        return np.stack(found, axis=1)

    together = actions_of(np.arange(4))
    assert together.dtype == np.float32
    assert np.abs(together).max() <= 1
    for row in range(4):
        np.testing.assert_allclose(actions_of(np.array([row]))[0], together[row], atol=1e-6)
