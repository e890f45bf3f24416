"""Plans that must keep something: of a model that knows straight lines, where walls are cells that nobody visited."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_model import POINT_MASS, SCORER, SUPPORT, line_model

from dfplan.domains.maze.repair import Mender, step_of
from dfplan.planner import GuidanceSettings, Planner, PlannerSettings
from dfplan.planner.constraints import Constraints

START, GOAL = np.array([[2.0, 2.0, 0.0, 0.0]]), np.array([[2.0, 8.0]])


def planner(*, support=SUPPORT, constraints=(), objective=None, **guidance):
    model = replace(line_model(num_tokens=80), scorer=replace(SCORER, support=support))
    settings = PlannerSettings(num_candidates=2, guidance=GuidanceSettings(**guidance))
    return Planner(model, settings=settings, constraints=constraints, objective=objective)


def plan(asked, *, horizon=1600, seed=0, **options):
    generators = [torch.Generator().manual_seed(seed)]
    return asked.plan(START, GOAL, horizon=horizon, generators=generators, **options)


def along(found):
    """Start and positions of every step that is planned."""
    state, visited = START, [START[0]]
    for step in range(int(found.num_steps[0])):
        state = step_of(state, found.actions[:, step].astype(np.float64), dynamics=POINT_MASS)
        visited.append(state[0])
    return np.stack(visited)


def test_all_at_once_by_arithmetic_of_its_own():
    found = plan(planner(keep_out=[[2.1, 5, 0.6]], waypoints=[[6, 4]], max_speed=3))
    states = along(found)
    assert found.verdict.broken == ((),)
    assert (np.linalg.norm(states[:, :2] - [2.1, 5], axis=1) >= 0.6).all()
    assert (np.linalg.norm(states[:, :2] - [6, 4], axis=1) <= 0.5).any()
    assert (np.linalg.norm(states[:, 2:], axis=1) <= 3.0).all()
    assert found.arrival[0] <= found.num_steps[0]
    assert np.linalg.norm(states[found.arrival[0], :2] - GOAL[0]) <= 0.5
    assert found.verdict.top_speed[0] == pytest.approx(np.linalg.norm(states[:, 2:], axis=1).max(), abs=1e-3)


def test_planned_states_are_what_planned_actions_lead_to():
    found = plan(planner(waypoints=[[6, 4]]))
    states = along(found)[found.steps_per_point :: found.steps_per_point]
    driven = int(found.arrival[0]) // found.steps_per_point
    np.testing.assert_allclose(found.observations[0, :driven], states[:driven], atol=1e-3)


def test_nothing_to_keep_changes_nothing():
    free = plan(planner(), horizon=400)
    assert free.verdict is None
    again = plan(planner(method="chosen", rounds=1), horizon=400)
    np.testing.assert_array_equal(free.actions, again.actions)


def test_a_blocked_corridor_is_gone_around():
    # A wall from side to side with two gaps, the nearer one of them forbidden.
    visited = np.ones((100, 100), dtype=bool)
    visited[:, 50:52] = False
    visited[15:25, 50:52] = visited[70:80, 50:52] = True
    walled = replace(SUPPORT, visited=visited)
    asked = {"keep_out": [[2.0, 5.1, 0.6]], "rounds": 1}
    found = plan(planner(support=walled, **asked))
    assert found.verdict.kept.all()
    assert found.arrival[0] <= found.num_steps[0]
    assert walled.contains(along(found)[:, :2]).mean() > 0.98  # a corner may be grazed
    stuck = plan(planner(support=walled, method="parts", **asked))
    assert not (stuck.verdict.kept.all() and stuck.arrival[0] <= stuck.num_steps[0])


def test_what_nothing_can_keep_is_named():
    found = plan(planner(keep_out=[[2, 8, 1.0]], max_speed=4, rounds=2))
    assert found.verdict.broken == (("keep_out",),) or found.arrival[0] > found.num_steps[0]
    missed = plan(planner(waypoints=[[50, 50], [2, 5]], rounds=2))
    assert missed.verdict.broken == (("waypoints",),)
    assert missed.verdict.missed.tolist() == [[True, False]]


def test_a_function_is_judged_and_named_and_chooses():
    calls = []

    def never(positions):
        calls.append(positions.shape)
        return -1.0

    found = plan(planner(constraints=[never, Constraints(max_speed=4)], rounds=3))
    assert found.verdict.broken == (("never",),)
    assert len(calls) == 3
    assert all(shape[1] == 2 for shape in calls)


def test_way_points_that_were_passed_are_not_asked_for_again():
    asked = planner(waypoints=[[6, 4], [6, 6]], in_order=True)
    all_of_them = plan(asked)
    the_second = plan(asked, passed=np.array([[True, False]]))
    assert all_of_them.verdict.kept.all()
    assert (np.diff(all_of_them.verdict.passes[0]) > 0).all()
    assert the_second.verdict.passes[0, 0] == 0
    assert the_second.verdict.kept.all()


def test_any_order_is_that_of_the_shortest_way():
    found = plan(planner(waypoints=[[2, 7], [2, 4], [2, 5.5]]))
    assert found.verdict.kept.all()
    assert np.argsort(found.verdict.passes[0]).tolist() == [1, 2, 0]


def test_one_of_many_is_one_alone():
    asked = planner(keep_out=[[2.1, 5, 0.6]], waypoints=[[6, 4]])
    starts, goals = np.concatenate([START, START + np.array([3, 0, 0, 0])]), np.concatenate([GOAL, GOAL])
    generators = [torch.Generator().manual_seed(seed) for seed in (0, 1)]
    together = asked.plan(starts, goals, horizon=800, generators=generators)
    alone = plan(asked, horizon=800)
    steps = int(alone.num_steps[0])
    np.testing.assert_allclose(together.actions[0, :steps], alone.actions[0, :steps], atol=1e-5)
    assert together.verdict.broken == ((), ())


def test_an_objective_of_the_users_guides():
    def to_the_right(found):
        return 20 * found.positions[..., 0].mean(dim=1)

    free, guided = (
        Planner(
            line_model(spread=0.5, seeks_goal=False, num_tokens=4),
            settings=PlannerSettings(num_candidates=1),
            objective=each,
        ).plan(START, GOAL, horizon=16, generators=[torch.Generator().manual_seed(0)])
        for each in (None, to_the_right)
    )
    assert guided.observations[0, :, 0].mean() > free.observations[0, :, 0].mean() + 0.1


def test_candidates_alone_are_chosen_by_what_they_keep():
    found = plan(planner(keep_out=[[2.0, 5, 0.6]], waypoints=[[6, 4]], method="chosen"), horizon=400)
    assert found.verdict.broken == (("keep_out", "waypoints"),)


def test_a_path_is_mended_out_of_what_is_forbidden_unless_that_blocks_it():
    forbidden = Constraints(keep_out=[[1.0, 2.0, 0.4]])
    path = np.array([[0.7, 0.5], [0.7, 3.5]])
    mended = Mender(forbidden.restrict(SUPPORT)).mend(path)
    assert (forbidden.clearance(mended) > -0.1).all()
    np.testing.assert_array_equal(mended[[0, -1]], path)
    corridor = np.zeros((100, 100), dtype=bool)
    corridor[7:13] = True
    assert Mender(forbidden.restrict(replace(SUPPORT, visited=corridor))).mend(path) is None
