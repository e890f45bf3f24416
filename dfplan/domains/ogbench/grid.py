"""The shortest path over cells that the data visited, walked at the pace of a whole action: no network, a rival."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from dfplan.arrays import checked_rows
from dfplan.scorers import first_arrival
from dfplan.scorers.visited_grid import VisitedGrid
from dfplan.types import MARGIN, Plan, Reach, Support

STEP = 0.2  # environment units that a whole action moves, as the package's source says: ``qpos += 0.2 * action``


class GridPlanner:
    """Plans paths, and the actions that walk along them; every plan is computed from nothing.

    Args:
        support: which places the data visited.
        goal_radius: distance that counts as being at the goal.
        margin: environment units from unvisited cells that paths keep where that is not far around.
    """

    observation_dim = goal_dim = 2

    def __init__(self, support: Support, *, goal_radius: float, margin: float) -> None:
        self.grid, self.goal_radius = VisitedGrid(support, margin=margin), goal_radius
        known = support.range.widened(MARGIN)
        middle = (known.low + known.high) / 2
        self.reach = Reach.around(middle, known.high - middle, goal_dim=2, known=known)

    def plan(self, observations: np.ndarray, goals: np.ndarray, *, horizon: int, generators: Sequence[Any]) -> Plan:
        """Plan for a batch of environments; see :meth:`dfplan.planner.Planner.plan`.

        Args:
            observations: ``(batch, 2)``.
            goals: ``(batch, 2)``.
            horizon: most steps of a plan.
            generators: unused, nothing is random; one an environment.

        Returns:
            Plans that end where their path does, or at the horizon.

        Raises:
            UserError: shapes that do not fit, or values that are not finite.
        """
        sizes = {"num_rows": len(generators), "width": 2}
        starts = checked_rows("observations", observations, bounds=self.reach.observations, **sizes).astype(float)
        goals = checked_rows("goals", goals, bounds=self.reach.goals, **sizes).astype(float)
        cells, moves = self.grid.paths(self.grid.nearest(starts), self.grid.nearest(goals))
        walked = [
            _walk(np.concatenate([start[None], self.grid.centers[own[:count]], goal[None]]), at_most=horizon)
            for start, own, count, goal in zip(starts, cells, moves, goals, strict=True)
        ]
        num_steps = np.array([len(each) for each in walked])
        longest = int(num_steps.max())
        places = np.stack([np.pad(each, ((0, longest - len(each)), (0, 0)), mode="edge") for each in walked])
        arrival = first_arrival(places, goals, radius=self.goal_radius, num_steps=num_steps)
        return Plan(
            observations=places,
            actions=(np.diff(places, axis=1, prepend=starts[:, None]) / STEP).astype(np.float32),
            rewards=np.zeros((len(places), longest), np.float32),
            arrival=arrival,
            num_steps=num_steps,
            value=-arrival.astype(np.float64),
            steps_per_point=1,
        )


def _walk(path: np.ndarray, *, at_most: int) -> np.ndarray:
    """Places ``(steps, 2)`` on a path ``(points, 2)``, :data:`STEP` apart; one at least."""
    along = np.append(0, np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1)))
    steps = max(min(int(np.ceil(along[-1] / STEP)), at_most), 1)
    walked = np.minimum(STEP * np.arange(1, steps + 1), along[-1])
    return np.stack([np.interp(walked, along, axis) for axis in path.T], axis=1)
