"""How OGBench's point mazes are evaluated and drawn: five tasks in turn, each ended by success or after 1,000 steps."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dfplan.domains.episodes import TasksProtocol
from dfplan.domains.ogbench.environment import make_published
from dfplan.evaluation.rollout import Rollouts
from dfplan.protocol import Scene

import dfplan.viz  # noqa: F401  # isort: skip  (first: it sees to a notebook's backend)
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle

from dfplan.viz.figures import save

if TYPE_CHECKING:
    from dfplan.planner.guidance_settings import GuidanceSettings

WALL, INK = "#4B5563", "#111827"
COLORS = ("#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
LEAP = 6.0  # environment units: what is farther from one point to the next is no line, but a teleporter


def draw_ways(
    scene: Scene, ways: Mapping[str, Sequence[np.ndarray]], *, goals: np.ndarray, path: Path, title: str
) -> Path:
    """Draw ways, those of a name in one colour, with their starts and the discs of their goals.

    Args:
        scene: the walls.
        ways: by name, places ``(points, 2)`` of each way.
        goals: ``(goals, 2)``.
        path: image file; its ending chooses the format.
        title: above the picture.
    """
    left, top, right, bottom = scene.limits
    figure = Figure(figsize=(8, 8 * (bottom - top) / (right - left) + 0.9), layout="constrained", dpi=130)
    axis = figure.add_subplot()
    for x, y, width, height in scene.blocks:
        axis.add_patch(Rectangle((x, y), width, height, facecolor=WALL, linewidth=0))
    for color, (name, found) in zip(COLORS, ways.items(), strict=False):
        pieces = [piece for way in found for piece in _without_leaps(way)]
        axis.add_collection(LineCollection(pieces, colors=color, linewidths=0.8, alpha=0.6, label=name))
        axis.scatter(*np.array([way[0] for way in found]).T, s=14, color="white", edgecolors=color, zorder=4)
    for goal in goals:
        axis.add_patch(Circle((goal[0], goal[1]), scene.goal_radius, facecolor="#D55E00", alpha=0.12, linewidth=0))
    axis.scatter(*goals.T, marker="*", s=24, color="#D55E00", zorder=5, label="goals")
    axis.set(xlim=(left, right), ylim=(bottom, top), aspect="equal", xlabel="x", ylabel="y")
    axis.set_title(title, loc="left", fontsize=11, color=INK)
    figure.legend(loc="outside lower center", ncols=6, frameon=False, fontsize=9)
    return save(figure, path)


def _without_leaps(way: np.ndarray) -> list[np.ndarray]:
    leaps = np.flatnonzero(np.linalg.norm(np.diff(way, axis=0), axis=1) > LEAP) + 1
    return np.split(way[:, :2], leaps)


class PointMazeProtocol(TasksProtocol):
    """See :class:`~dfplan.protocol.EvaluationProtocol`; success is within the published radius of the goal."""

    def scene(self) -> Scene:
        """See :class:`~dfplan.protocol.HasScene`: the walls, as far as a point can be seen to be out of them."""
        return scene_of(self.environments.maze_name)  # type: ignore[attr-defined]

    def draw(self, rollouts: Rollouts, *, path: Path, name: str, guidance: "GuidanceSettings | None") -> Path:
        """See :class:`~dfplan.protocol.EvaluationProtocol`: the ways of every task over the maze."""
        from dfplan.domains.ogbench.protocol import draw_ways  # matplotlib is slow to import; the scores come first

        ways = defaultdict[str, list[np.ndarray]](list)
        for number, states in enumerate(rollouts.states):
            ways[str((self.environments.reset_options(number) or {})["task"])].append(states)
        goals = np.array([each[0] for each in rollouts.goals])
        assert rollouts.success is not None
        reached = np.mean([each[-1] for each in rollouts.success])
        return draw_ways(self.scene(), ways, goals=goals, path=path, title=f"{name}: {reached:.0%} reach their goals")


def scene_of(maze: str) -> Scene:
    """The scene of a maze: x to the right, y downwards as its map reads."""
    env: Any = make_published(maze)
    unit, tolerance, walls = float(env._maze_unit), float(env._goal_tol), np.argwhere(env.maze_map == 1).tolist()
    corners = [env.ij_to_xy(cell) for cell in walls]
    rows, columns = env.maze_map.shape
    left, top = env.ij_to_xy((0, 0))
    env.close()
    return Scene(
        right=0,
        down=1,
        limits=(left, top, left + unit * (columns - 1), top + unit * (rows - 1)),
        blocks=tuple((x - unit / 2, y - unit / 2, unit, unit) for x, y in corners),
        goal_radius=tolerance,
    )
