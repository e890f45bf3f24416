"""The driver that collected the data, as an agent. It has privileged information, the maze, and adds no noise."""

from collections.abc import Callable, Sequence

import numpy as np

from dfplan.domains.maze.waypoint_controller import WaypointController
from dfplan.errors import UserError
from dfplan.types import PlanEvent


class WaypointAgent:
    """D4RL's way-point controller, one per environment, which plans on the grid of the maze when an episode begins.

    (D4RL's own script of reference scores never plans anew after a reset, and returns nothing in 44 % of its episodes.)

    Args:
        walls: ``(rows, columns)`` bool, the maze.
    """

    on_plan: Callable[[PlanEvent], None] | None = None  # its way-points are no plan in time

    def __init__(self, walls: np.ndarray) -> None:
        self.walls = walls
        self._drivers: list[WaypointController] = []
        self._goals = np.zeros((0, 2))

    def reset(self, *, seeds: Sequence[int], goals: np.ndarray) -> None:
        """Begin new episodes; the seeds decide how way-points are jittered within their cells."""
        self._goals = np.array(goals, dtype=np.float64)
        self._drivers = [
            WaypointController(self.walls, draw_uniform=np.random.default_rng(seed).random) for seed in seeds
        ]

    def act(self, observations: np.ndarray) -> np.ndarray:
        """Actions ``(batch, 2)`` float32 for observations ``(batch, 4)``."""
        if len(observations) != len(self._drivers):
            raise UserError(f"reset() began {len(self._drivers)} episodes, act() got {len(observations)} observations")
        rows = zip(self._drivers, observations.tolist(), self._goals.tolist(), strict=True)
        return np.array([driver.act(*seen, *goal)[:2] for driver, seen, goal in rows], dtype=np.float32)
