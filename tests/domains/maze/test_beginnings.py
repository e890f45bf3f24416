"""Starts and goals: which pairs count as detours, and what each episode's beginning depends on."""

import numpy as np
import pytest

from dfplan.domains.maze.beginnings import detour_pairs, draw_beginnings, way_lengths
from dfplan.errors import UserError
from dfplan_envs import build_maze


def test_way_lengths_of_a_corridor_with_a_corner_and_an_island():
    cells = np.array([[0, 0], [0, 1], [1, 1], [5, 5]])
    expected = [[0, 1, 2, np.inf], [1, 0, 1, np.inf], [2, 1, 0, np.inf], [np.inf, np.inf, np.inf, 0]]
    np.testing.assert_array_equal(way_lengths(cells), expected)


def test_the_only_detour_of_the_u_maze_joins_its_two_ends():
    assert detour_pairs(build_maze("umaze")).tolist() == [[[3, 1], [1, 1]], [[1, 1], [3, 1]]]
    assert len(detour_pairs(build_maze("umaze"), ratio=2.0)) == 8


@pytest.mark.parametrize(("name", "count"), [("medium", 12), ("large", 100)])
def test_detours_hold_their_ratio_and_go_both_ways(name, count):
    pairs = detour_pairs(build_maze(name))
    assert len(pairs) == count
    assert sorted(pairs.tolist()) == sorted(pairs[:, ::-1].tolist())
    assert not np.array_equal(pairs[:, 0], pairs[:, 1])


def test_a_maze_without_detours_is_refused():
    with pytest.raises(UserError, match="maze open has no two cells"):
        detour_pairs(build_maze("open"))


@pytest.mark.parametrize("goal", ["fixed", "detour"])
def test_beginnings_depend_on_seed_and_episode_alone(goal):
    maze = build_maze("large")
    whole = draw_beginnings(range(8), maze=maze, goal=goal, seed=4)
    part = draw_beginnings(range(5, 8), maze=maze, goal=goal, seed=4)
    assert (part.env_seeds, part.agent_seeds) == (whole.env_seeds[5:], whole.agent_seeds[5:])
    np.testing.assert_array_equal(part.starts, whole.starts[5:])
    assert not np.array_equal(draw_beginnings(range(8), maze=maze, goal=goal, seed=5).starts, whole.starts)


def test_detours_are_spread_evenly_and_lie_near_their_cells():
    maze = build_maze("large")
    drawn = draw_beginnings(range(200), maze=maze, goal="detour", seed=0)
    assert drawn.goals is not None
    cells = np.stack([np.round(drawn.starts), np.round(drawn.goals)], axis=1).astype(int)
    assert sorted(cells.tolist()) == sorted([*detour_pairs(maze).tolist()] * 2)
    assert (np.abs(drawn.goals - np.round(drawn.goals)) <= 0.1).all()
    assert (drawn.starts - np.round(drawn.starts)).std() == pytest.approx(0.2 / np.sqrt(12), rel=0.1)
    assert draw_beginnings(range(2), maze=maze, goal="random", seed=0).goals is None
