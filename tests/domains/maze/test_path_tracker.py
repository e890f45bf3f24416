"""Driving in a plane without walls: limits are kept at every step, and stops are passed before the path goes on."""

import numpy as np
import pytest
from tiny_model import POINT_MASS

from dfplan.domains.maze.path_tracker import PathTracker
from dfplan.domains.maze.repair import Course, imagine, step_of
from dfplan.planner.constraints import Constraints

REST = np.array([[1.0, 1.0, 0.0, 0.0]])
AHEAD = np.array([[1.0, 1.0], [1.0, 7.0]])


def drive(path=AHEAD, *, stops=(), num_steps=400, **asked):
    tracker = PathTracker(POINT_MASS, goal_radius=0.5, constraints=Constraints(**asked))
    course = Course(path=path, stops=stops, goal=path[-1])
    return imagine(tracker, REST, [course], dynamics=POINT_MASS, num_steps=num_steps)


def judged(found, **asked):
    return Constraints(**asked).judge(
        found.states[..., :2], num_steps=found.num_steps, radius=0.5, seconds_per_step=POINT_MASS.step
    )


def test_at_its_end_it_stands_at_the_goal():
    found = drive()
    last = found.states[0, found.num_steps[0]]
    assert np.linalg.norm(last[:2] - AHEAD[-1]) < 0.2
    assert np.linalg.norm(last[2:]) < 0.5


def test_what_is_imagined_is_what_its_actions_lead_to():
    found = drive(max_speed=3.0)
    state = REST
    for step in range(int(found.num_steps[0])):
        state = step_of(state, found.actions[:, step].astype(np.float64), dynamics=POINT_MASS)
        np.testing.assert_allclose(found.states[:, step + 1], state, atol=1e-5)
    assert np.linalg.norm(state[0, :2] - AHEAD[-1]) <= 0.5


@pytest.mark.parametrize("limit", [0.5, 2.0, 4.0])
def test_a_speed_limit_is_nearly_reached_and_never_exceeded(limit):
    found = drive(max_speed=limit, num_steps=1500)
    top = judged(found, max_speed=limit)
    assert top.kept.all()
    assert top.top_speed[0] > 0.9 * limit
    assert found.num_steps[0] < 1500


def test_without_a_limit_it_is_faster():
    assert drive().num_steps[0] < drive(max_speed=3.0).num_steps[0]


def test_a_disc_that_the_path_touches_is_driven_around():
    disc = [[1.4, 4.0, 0.5]]
    assert judged(drive(), keep_out=disc).clearance[0] < 0
    around = drive(keep_out=disc)
    assert judged(around, keep_out=disc).clearance[0] >= 0
    assert around.num_steps[0] < 400


def test_the_goal_is_held_without_entering_what_is_beside_it():
    disc = [[1.0, 7.4, 0.3]]
    tracker = PathTracker(POINT_MASS, goal_radius=0.5, constraints=Constraints(keep_out=disc))
    tracker.reset(AHEAD[-1:])
    tracker.drive_along(0, path=AHEAD, goal=AHEAD[-1])
    state, clearance = REST, []
    for _ in range(400):
        state = step_of(state, tracker.act(state).astype(np.float64), dynamics=POINT_MASS)
        clearance.append(Constraints(keep_out=disc).clearance(state[0, :2]))
    assert min(clearance) >= 0
    assert np.linalg.norm(state[0, :2] - AHEAD[-1]) <= 0.5


def test_a_stop_at_a_dead_end_is_passed_though_the_path_comes_back_the_same_way():
    there_and_back = np.array([[1.0, 1.0], [1.0, 2.6], [1.0, 1.0], [4.0, 1.0]])
    place = {"waypoints": [[1.0, 2.6]]}
    assert judged(drive(there_and_back), **place).missed.all()
    assert judged(drive(there_and_back, stops=[1]), **place).kept.all()


def test_committed_actions_come_first():
    tracker = PathTracker(POINT_MASS, goal_radius=0.5)
    course, back = Course(path=AHEAD, stops=(), goal=AHEAD[-1]), np.tile([-1.0, 0.0], (5, 1))
    found = imagine(tracker, REST, [course], dynamics=POINT_MASS, num_steps=300, committed=[back])
    np.testing.assert_array_equal(found.actions[0, :5], back)
    assert found.num_steps[0] < 300
