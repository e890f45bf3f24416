"""How OGBench's point mazes are evaluated: their five tasks in turn, each ended by success or after 1,000 steps."""

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dfplan.domains.episodes import TasksProtocol
from dfplan.domains.ogbench.environment import make_published
from dfplan.evaluation.rollout import Rollouts
from dfplan.protocol import Scene

if TYPE_CHECKING:
    from dfplan.planner.guidance_settings import GuidanceSettings


class PointMazeProtocol(TasksProtocol):
    """See :class:`~dfplan.protocol.EvaluationProtocol`; success is within the published radius of the goal."""

    def scene(self) -> Scene:
        """See :class:`~dfplan.protocol.HasScene`: the walls, as far as a point can be seen to be out of them."""
        return scene_of(self.environments.maze_name)  # type: ignore[attr-defined]

    def draw(self, rollouts: Rollouts, *, path: Path, name: str, guidance: "GuidanceSettings | None") -> Path:
        """See :class:`~dfplan.protocol.EvaluationProtocol`: the ways of every task over the maze."""
        from dfplan.domains.ogbench.pictures import draw_ways  # matplotlib is slow to import; the scores come first

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
