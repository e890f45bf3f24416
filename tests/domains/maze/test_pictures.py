"""Pictures show what is true: walls where the environment has them, every episode, whole files or none."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from dfplan.domains.maze.pictures import FLOOR, WALL, draw_maze, draw_plan, draw_rollouts
from dfplan.errors import UserError
from dfplan.types import Plan
from dfplan_envs import build_maze

MAZE = build_maze("umaze")


def _rollouts(num_episodes=3, num_steps=20):
    positions = np.linspace((3.0, 1.0), (1.0, 1.0), num_steps + 1)[None].repeat(num_episodes, axis=0)
    goals = np.tile([1.0, 1.0], (num_episodes, 1))
    at_goal = np.linalg.norm(positions[:, 1:] - goals[:, None], axis=-1) <= 0.5
    at_goal[0] = False
    return {"positions": positions, "goals": goals, "at_goal": at_goal}


def _plan(*, history=None):
    points = np.random.default_rng(0).uniform(1, 3, size=(2, 16, 4))
    return Plan(
        observations=points,
        actions=np.zeros((2, 128, 2)),
        rewards=np.zeros((2, 8)),
        arrival=np.array([90, 128]),
        num_steps=np.array([128, 128]),
        value=np.zeros(2),
        steps_per_point=8,
        history=history,
    )


@pytest.mark.parametrize("name", ["umaze", "large"])
def test_walls_are_drawn_where_the_environment_has_them(name):
    maze = build_maze(name)
    figure = Figure(figsize=(6, 6), dpi=100)
    canvas = FigureCanvasAgg(figure)
    ax = figure.add_subplot()
    draw_maze(ax, maze)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3] / 255
    xy = np.random.default_rng(0).uniform(-0.05, np.array(maze.walls.shape) - 1.35, size=(500, 2))
    to_border = np.abs((xy + 0.7) - np.round(xy + 0.7)).min(axis=1)
    xy = xy[to_border > 0.1]
    columns, rows = ax.transData.transform(xy[:, ::-1]).astype(int).T
    found = pixels[pixels.shape[0] - 1 - rows, columns]
    expected = np.where(maze.contains_wall(xy)[:, None], to_rgb(WALL), to_rgb(FLOOR))
    np.testing.assert_allclose(found, expected, atol=0.02)


@pytest.mark.parametrize("color_by", ["time", "success"])
def test_rollouts_become_one_picture(tmp_path, color_by):
    path = tmp_path / "new folder" / "rollouts.png"
    assert draw_rollouts(**_rollouts(), maze=MAZE, path=path, title="maze2d-umaze", color_by=color_by) == path
    assert Image.open(path).size[0] > 600
    assert [each.name for each in path.parent.iterdir()] == ["rollouts.png"]


def test_rollouts_that_all_fail_or_differ_in_goal_can_be_drawn(tmp_path):
    rollouts = _rollouts()
    rollouts["at_goal"][:] = False
    rollouts["goals"] = rollouts["goals"] + np.arange(3)[:, None]
    draw_rollouts(**rollouts, maze=MAZE, path=tmp_path / "fail.png", title="none")


def test_a_plan_grows_by_its_denoising_rows_and_its_matrix(tmp_path):
    history = np.random.default_rng(0).normal(size=(12, 2, 16, 4))
    matrix = np.clip(4 + np.arange(8)[None] - np.arange(12)[:, None], 0, 4)
    arguments = {"maze": MAZE, "start": np.array([3.0, 1.0]), "goal": np.array([1.0, 1.0]), "title": "maze2d-umaze"}
    paths = [
        draw_plan(_plan(), path=tmp_path / "plan.png", **arguments),
        draw_plan(_plan(history=history), path=tmp_path / "rows.png", index=1, **arguments),
        draw_plan(_plan(history=history), path=tmp_path / "matrix.png", matrix=matrix, **arguments),
    ]
    heights = [Image.open(path).size[1] for path in paths]
    assert heights == sorted(set(heights))


def test_what_cannot_be_written_is_said_and_leaves_nothing_behind(tmp_path):
    with pytest.raises(UserError, match="'time' or 'success'"):
        draw_rollouts(**_rollouts(), maze=MAZE, path=tmp_path / "x.png", title="", color_by="speed")
    with pytest.raises(UserError, match=r"\.png"):
        draw_rollouts(**_rollouts(), maze=MAZE, path=tmp_path / "x.mp7", title="")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="choose another folder"):
        draw_rollouts(**_rollouts(), maze=MAZE, path=tmp_path / "file" / "x.png", title="")
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_every_line_of_a_plan_is_in_the_legend(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr("dfplan.domains.maze.pictures.save", lambda figure, path: drawn.append(figure) or path)
    history = np.random.default_rng(0).normal(size=(12, 2, 16, 4))
    arguments = {"maze": MAZE, "start": np.array([3.0, 1.0]), "goal": np.array([1.0, 1.0]), "title": "maze2d-umaze"}
    draw_plan(_plan(history=history), path=tmp_path / "plan.png", index=0, **arguments)
    labels = {text.get_text() for text in drawn[0].legends[0].get_texts()}
    grey = [line for line in drawn[0].axes[0].lines if to_rgb(line.get_color()) == to_rgb(WALL)]
    assert grey
    assert {line.get_label() for line in grey} <= labels
    assert {"start", "goal"} <= labels
    assert "between planned points, partly denoised" in labels


def test_rows_that_show_the_first_part_of_a_plan_say_so(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr("dfplan.domains.maze.pictures.save", lambda figure, path: drawn.append(figure) or path)
    history = np.random.default_rng(0).normal(size=(12, 2, 10, 4))
    arguments = {"maze": MAZE, "start": np.array([3.0, 1.0]), "goal": np.array([1.0, 1.0]), "title": "maze2d-umaze"}
    draw_plan(_plan(history=history), path=tmp_path / "plan.png", index=0, **arguments)
    labels = {text.get_text() for text in drawn[0].legends[0].get_texts()}
    assert "between planned points, partly denoised (rows show the first 80 of 128 steps)" in labels
