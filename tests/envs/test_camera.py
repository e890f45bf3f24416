"""Frames show walls and ball where they are, to a small part of a pixel, and depend on nothing else."""

import hashlib
import time

import numpy as np
import pytest

from dfplan_envs import MAZE_NAMES, build_maze
from dfplan_envs.camera import BALL_COLOR, FLOOR_COLOR, WALL_COLOR, TopCamera, build_camera


def free_positions(maze, number, *, seed=0):
    """Positions where the ball can be, walls touched included."""
    generator = np.random.default_rng(seed)
    cells = maze.free_cells[generator.integers(len(maze.free_cells), size=number)]
    return cells - 0.2 + generator.uniform(-0.4, 0.4, size=(number, 2))


def locate(camera, frames):
    """Positions of the ball by the centroid of what it covers; floor and wall are partly blue, the ball is not."""
    behind = camera.background[..., 2].astype(float)
    coverage = (behind - frames[..., 2]) / (behind - BALL_COLOR[2])
    centres = np.arange(64) + 0.5
    weight = coverage.sum(axis=(1, 2))
    pixels = np.stack([coverage.sum(axis=2) @ centres, coverage.sum(axis=1) @ centres], axis=-1) / weight[:, None]
    return camera.to_positions(pixels)


@pytest.mark.parametrize("view", ["top", "egocentric"])
@pytest.mark.parametrize("name", MAZE_NAMES)
def test_a_frame_does_not_depend_on_those_rendered_with_it(name, view):
    maze = build_maze(name)
    camera, positions = build_camera(maze, view=view), free_positions(maze, 60)
    frames = camera.render(positions)
    assert frames.shape == (60, 64, 64, 3)
    assert frames.dtype == np.uint8
    np.testing.assert_array_equal(frames, [camera.render(position) for position in positions])
    np.testing.assert_array_equal(frames, camera.render(positions.reshape(3, 20, 2)).reshape(frames.shape))
    np.testing.assert_array_equal(frames, build_camera(maze, view=view).render(positions))


def test_the_same_bytes_on_every_machine():
    """A change of these bytes makes every encoder trained on frames worthless: it must be on purpose."""
    maze = build_maze("large")
    digest = hashlib.sha256(build_camera(maze).render(free_positions(maze, 100)).tobytes()).hexdigest()
    assert digest.startswith("a8018240b1a14f3a")


@pytest.mark.parametrize("name", MAZE_NAMES)
def test_the_position_can_be_read_from_a_frame(name):
    maze = build_maze(name)
    camera, positions = TopCamera(maze), free_positions(maze, 500)
    error = np.abs(locate(camera, camera.render(positions)) - positions).max()
    assert error < 0.02


@pytest.mark.parametrize("name", ["umaze", "medium", "large"])
def test_a_shift_of_a_hundredth_of_a_cell_is_seen(name):
    camera = TopCamera(build_maze(name))
    here = np.array([1.03, 1.02])
    for shift in ((0.01, 0), (0, 0.01)):
        assert (camera.render(here) != camera.render(here + shift)).any(axis=-1).sum() >= 4


def test_pixels_and_positions_are_inverse_and_have_one_scale():
    camera, positions = TopCamera(build_maze("large")), free_positions(build_maze("large"), 10)
    pixels = camera.to_pixels(positions)
    np.testing.assert_allclose(camera.to_positions(pixels), positions, atol=1e-12)
    np.testing.assert_allclose(np.diff(pixels, axis=0), 64 / 12 * np.diff(positions, axis=0))


@pytest.mark.parametrize("name", MAZE_NAMES)
def test_walls_stand_where_the_ball_meets_them(name):
    """A pixel that lies wholly in the wall or wholly outside has the colour of the wall; the others likewise."""
    maze = build_maze(name)
    camera = TopCamera(maze)
    corners = np.stack(np.meshgrid([0.01, 0.99], [0.01, 0.99]), axis=-1).reshape(4, 1, 1, 2)
    pixels = np.stack(np.meshgrid(np.arange(64), np.arange(64), indexing="ij"), axis=-1)
    in_wall = maze.contains_wall(camera.to_positions(pixels + corners))
    assert (camera.background[in_wall.all(axis=0)] == WALL_COLOR).all()
    assert (camera.background[~in_wall.any(axis=0)] == FLOOR_COLOR).all()
    share = (camera.background[..., 2].astype(float) - FLOOR_COLOR[2]) / (WALL_COLOR[2] - FLOOR_COLOR[2])
    outside = 64**2 - maze.walls.size * camera.pixels_per_unit**2
    assert share.sum() == pytest.approx(outside + maze.walls.sum() * camera.pixels_per_unit**2, rel=2e-3)


def test_rows_are_the_x_axis_and_columns_the_y_axis():
    camera = TopCamera(build_maze("umaze"))
    row, column = np.floor(camera.to_pixels(np.array([2.8, 0.8]))).astype(int)
    frame = camera.render(np.array([2.8, 0.8]))
    assert row > column
    assert frame[row, column].tolist() == list(BALL_COLOR)


def test_the_ball_is_big_enough_to_be_seen_in_every_maze():
    for name in MAZE_NAMES:
        maze = build_maze(name)
        camera = TopCamera(maze)
        changed = (camera.render(maze.goal_cell) != camera.background).any(axis=-1).sum()
        assert np.pi * 1.5**2 < changed < 40


def test_a_ball_at_the_edge_is_cut_off_and_one_outside_is_not_seen():
    maze = build_maze("umaze")
    camera = TopCamera(maze)
    centre, edge, corner = camera.to_positions(np.array([(32.0, 32.0), (32.0, 64.0), (0.0, 0.0)]))
    changes = [(camera.render(at) != camera.background).any(axis=-1).sum() for at in (centre, edge, corner)]
    assert changes[0] / 2 == pytest.approx(changes[1], abs=1)
    assert changes[0] / 4 == pytest.approx(changes[2], abs=1)
    np.testing.assert_array_equal(camera.render(np.array([1e30, 0.0])), camera.background)


def test_egocentric_view_is_the_neighbourhood_of_the_ball():
    maze = build_maze("large")
    camera = build_camera(maze, view="egocentric")
    here = np.array([0.8, 0.8])  # the middle of the upper left cell
    frame = camera.render(here)
    assert frame[32, 32].tolist() == list(BALL_COLOR)
    offsets = np.stack(np.meshgrid(np.arange(64), np.arange(64), indexing="ij"), axis=-1) + 0.5 - 32
    walls = maze.contains_wall(here + offsets / camera.pixels_per_unit)
    away = np.hypot(*np.moveaxis(offsets, -1, 0)) > 4
    looks_free = frame[..., 2] > (FLOOR_COLOR[2] + WALL_COLOR[2]) / 2
    assert (looks_free == ~walls)[away].sum() >= away.sum() - 1  # the pixel at a wall's corner is mostly wall


def test_egocentric_view_hides_the_place():
    """Two places with the same neighbourhood look the same: that is what makes it partial."""
    maze = build_maze("open")
    camera = build_camera(maze, view="egocentric")
    np.testing.assert_array_equal(camera.render(np.array([1.8, 1.8])), camera.render(np.array([1.8, 2.8])))
    assert not np.array_equal(camera.render(np.array([1.8, 1.8])), camera.render(np.array([0.8, 1.8])))


def test_ten_thousand_frames_a_second():
    """By CPU time and the best of five, so that a busy machine does not fail it; measured: several times as many."""
    maze = build_maze("large")
    camera, positions = build_camera(maze), free_positions(maze, 256)
    seconds = []
    for _ in range(5):
        began = time.process_time()
        camera.render(positions)
        seconds.append(time.process_time() - began)
    assert 256 / min(seconds) > 10_000


@pytest.mark.parametrize(
    ("positions", "message"), [(np.zeros(3), r"shape \(\.\.\., 2\); got \(3,\)"), (np.array([np.nan, 0]), "finite")]
)
@pytest.mark.parametrize("view", ["top", "egocentric"])
def test_bad_positions_are_refused(positions, message, view):
    with pytest.raises(ValueError, match=message):
        build_camera(build_maze("umaze"), view=view).render(positions)
