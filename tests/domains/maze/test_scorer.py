"""What makes one plan better than another, on paths drawn by hand."""

import numpy as np
import pytest

from dfplan.domains.maze.scorer import largest_jump, share_outside
from dfplan.scorers.paths import first_arrival, steps_along
from dfplan.types import DoubleIntegrator, Support

MASS = DoubleIntegrator(decay=1.0, gain=0.2, step=0.1, max_speed=2.0)


def test_steps_lie_evenly_between_points():
    start, points = np.array([[0.0, 0.0]]), np.array([[[2.0, 0.0], [2.0, 4.0]]])
    found = steps_along(start, points, steps_per_point=2)
    assert found.tolist() == [[[1, 0], [2, 0], [2, 2], [2, 4]]]


def test_with_a_point_per_step_the_points_are_the_steps():
    points = np.random.default_rng(0).normal(size=(3, 5, 2))
    np.testing.assert_array_equal(steps_along(np.zeros((3, 2)), points, steps_per_point=1), points)


def test_first_arrival_is_the_number_of_the_step():
    along = np.stack([np.arange(1.0, 7.0), np.zeros(6)], axis=1)
    positions = np.stack([along] * 5)
    goals = np.array([[1.0, 0.0], [4.0, 0.0], [4.0, 0.4], [4.0, 2.0], [6.0, 0.0]])
    found = first_arrival(positions, goals, radius=0.5, num_steps=np.full(5, 6))
    assert found.tolist() == [1, 4, 4, 7, 6]
    assert found.dtype == np.int64


def test_arrival_beyond_what_is_planned_is_none():
    positions = np.arange(1.0, 7.0)[None, :, None].repeat(3, axis=0)
    found = first_arrival(positions, np.full((3, 1), 5.0), radius=0.1, num_steps=np.array([6, 5, 4]))
    assert found.tolist() == [5, 5, 5]


def test_arrival_within_the_radius_counts_though_the_path_leaves_again():
    positions = np.array([[[3.0], [1.0], [3.0], [0.0]]])
    assert first_arrival(positions, np.zeros((1, 1)), radius=1.0, num_steps=np.array([4])).tolist() == [2]


def _states(positions, velocities):
    states = [[x, 0.0, speed, 0.0] for x, speed in zip(positions, velocities, strict=True)]
    return np.array(states)


@pytest.mark.parametrize(
    ("positions", "velocities", "arrival", "jump"),
    [
        # A second passes between points (10 steps of 0.1); the farthest move is 2.
        ([0, 1, 2, 3], [1, 1, 1, 1], 30, 0.0),
        ([0, 0.5, 2, 4], [0, 1, 2, 2], 30, 0.0),
        ([0, 1, 3, 4], [1, 1, 1, 1], 30, 0.5),  # 1 too far in the second interval
        ([0, 1, 3, 4], [1, 1, 1, 1], 11, 0.5),
        ([0, 1, 3, 4], [1, 1, 1, 1], 10, 0.0),  # after arrival nothing counts
        ([0, -1, -2, -3], [1, 1, 1, 1], 30, 1.0),
    ],
)
def test_largest_jump_is_the_way_that_velocities_do_not_explain(positions, velocities, arrival, jump):
    states = _states(positions, velocities)
    found = largest_jump(
        states[None, 0], states[None, 1:], arrival=np.array([arrival]), steps_per_point=10, dynamics=MASS
    )
    assert found.tolist() == pytest.approx([jump])


def test_share_outside_counts_the_steps_before_arrival():
    support = Support(visited=np.array([[True, False, True, True]]), origin=np.zeros(2), cell=1.0)
    across = np.stack([np.full(5, 0.5), np.arange(5) + 0.5], axis=1)[None]  # cells 0, 1, 2, 3, and beyond
    found = [share_outside(across, arrival=np.array([arrival]), support=support)[0] for arrival in range(1, 7)]
    assert found == pytest.approx([0, 1 / 2, 1 / 3, 1 / 4, 2 / 5, 2 / 5])
