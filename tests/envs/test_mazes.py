"""The layouts, limits and scores are D4RL's, and the walls are where the ball meets them."""

import numpy as np
import pytest

from dfplan_envs import MAZE_NAMES, build_maze
from dfplan_envs.physics import Ball, build_model


@pytest.mark.parametrize(
    ("name", "goal_cell", "num_start_cells", "max_episode_steps", "reference"),
    [
        ("umaze", (1, 1), 7, 300, (23.85, 161.86)),
        ("medium", (6, 6), 26, 600, (13.13, 277.39)),
        ("large", (7, 9), 46, 800, (6.7, 273.99)),
        ("eval-umaze", (1, 3), 7, 300, (36.63, 141.4)),
        ("eval-medium", (1, 6), 26, 600, (13.07, 204.93)),
        ("eval-large", (1, 9), 47, 800, (16.4, 302.22)),
        ("large-changed", (7, 9), 46, 800, (6.7, 273.99)),  # not published: the scores are those of large
        ("open", (2, 3), 15, 150, (0.01, 20.66)),
    ],
)
def test_published_numbers(name, goal_cell, num_start_cells, max_episode_steps, reference):
    maze = build_maze(name)
    assert maze.goal_cell == goal_cell
    assert len(maze.free_cells) == num_start_cells
    assert tuple(maze.free_cells[-1]) == goal_cell
    assert maze.free_cells[:-1].tolist() == sorted(maze.free_cells[:-1].tolist())
    assert maze.max_episode_steps == max_episode_steps
    assert (maze.reference_min, maze.reference_max) == reference


def test_the_changed_maze_has_one_passage_closed_and_one_opened_and_no_cell_cut_off():
    large, changed = build_maze("large"), build_maze("large-changed")
    assert np.argwhere(changed.walls & ~large.walls).tolist() == [[4, 6]]
    assert np.argwhere(large.walls & ~changed.walls).tolist() == [[7, 3]]
    reached, front = {changed.goal_cell}, [changed.goal_cell]
    while front:
        i, j = front.pop()
        near = {(i + 1, j), (i - 1, j), (i, j + 1), (i, j - 1)} - reached
        front += (new := [cell for cell in near if not changed.walls[cell]])
        reached |= set(new)
    assert reached == set(map(tuple, changed.free_cells.tolist()))


def test_scores_are_linear_between_the_references():
    maze = build_maze("large")
    np.testing.assert_allclose(maze.normalize(np.array([6.7, 273.99])), [0, 100])
    dense = build_maze("large", dense=True)
    np.testing.assert_allclose(dense.normalize(np.array([30.569041, 303.4857382709002])), [0, 100])


@pytest.mark.parametrize("name", MAZE_NAMES)
def test_contains_wall_has_the_offset_of_the_ball(name):
    """Cell (i, j) spans [i - 0.7, i + 0.3] in both axes."""
    maze = build_maze(name)
    cells = np.argwhere(np.ones_like(maze.walls))
    for corner in ((-0.69, -0.69), (-0.69, 0.29), (0.29, -0.69), (0.29, 0.29), (-0.2, -0.2), (0, 0)):
        np.testing.assert_array_equal(maze.contains_wall(cells + np.array(corner)), maze.walls.ravel())


def test_outside_is_wall_and_shape_is_kept():
    maze = build_maze("umaze")
    assert maze.contains_wall(np.array([[1e300, 1.0], [-50.0, 1.0], [1.0, 1e9]])).all()
    assert maze.contains_wall(np.zeros((2, 3, 2))).shape == (2, 3)
    assert maze.contains_wall(np.array([1.0, 1.0])).shape == ()


@pytest.mark.parametrize(
    ("xy", "message"), [(np.zeros(3), r"shape \(\.\.\., 2\)"), (np.array([np.nan, 1.0]), "finite")]
)
def test_bad_points_are_refused(xy, message):
    with pytest.raises(ValueError, match=message):
        build_maze("umaze").contains_wall(xy)


def test_unknown_maze_names_those_there_are():
    with pytest.raises(ValueError, match="'huge'; choose one of umaze, medium, large"):
        build_maze("huge")


def test_nearest_free_point_is_free_with_room_for_the_ball():
    maze = build_maze("large")
    generator = np.random.default_rng(0)
    for point in generator.uniform(-2, 14, size=(200, 2)):
        near = maze.nearest_free_point(point)
        assert not maze.contains_wall(near + 0.099 * np.array([(1, 0), (-1, 0), (0, 1), (0, -1)])).any()
    np.testing.assert_array_equal(maze.nearest_free_point(np.array([1.1, 1.1])), [1.1, 1.1])


@pytest.mark.parametrize(
    ("force", "expected"), [((-1, 0), (0.4034, None)), ((1, 0), (1.1966, None)), ((0, -1), (None, 0.4034))]
)
def test_ball_comes_to_rest_a_radius_off_the_wall(force, expected):
    """Pressed against the walls of umaze's cell (1, 1), which are at 0.3 and 1.3, the centre stays 0.1034 off them."""
    ball = Ball(build_model(build_maze("umaze")))
    ball.set_state(1.0, 1.0, 0.0, 0.0)
    for _ in range(300):
        state = ball.step(*force)
    for axis, position in enumerate(expected):
        if position is not None:
            assert state[axis] == pytest.approx(position, abs=1e-4)


def test_one_step_from_rest_under_full_force():
    """Implicit damping: dv = dt * 100 a / (m + dt), with m the mass of a sphere of radius 0.1 and density 1000."""
    ball = Ball(build_model(build_maze("large")))
    ball.set_state(1.0, 1.0, 0.0, 0.0)
    mass = 1000 * 4 / 3 * np.pi * 0.1**3
    *_, vx, vy = ball.step(1.0, 0.0)
    assert vx == pytest.approx(0.238164, abs=5e-7)
    assert vx == pytest.approx(0.01 * 100 / (mass + 0.01), rel=1e-12)
    assert vy == 0


def test_velocity_is_clipped_before_the_step_so_may_exceed_the_limit_after():
    ball = Ball(build_model(build_maze("large")))
    ball.set_state(1.0, 1.0, 100.0, -100.0)
    *_, vx, vy = ball.step(1.0, -1.0)
    assert vx == pytest.approx(5.2263, abs=1e-4)
    assert vy == pytest.approx(-5.2263, abs=1e-4)
