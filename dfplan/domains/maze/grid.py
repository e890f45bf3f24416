"""The shortest path over cells that the data visited: a planner without a network, to be asked what a network adds.

It knows what every planner of dfplan knows of a maze, the map of visited positions, and nothing else.
"""

from collections.abc import Sequence

import numpy as np
import torch

from dfplan.arrays import checked_rows
from dfplan.errors import UserError
from dfplan.scorers import first_arrival, steps_along
from dfplan.scorers.support import known_range
from dfplan.scorers.visited_grid import VisitedGrid
from dfplan.types import MARGIN, DoubleIntegrator, Plan, Reach, Support


class GridPlanner:
    """Plans paths, not actions: a controller has to drive along them.

    Every plan is computed from nothing, also where the goal is that of the plan before.

    Args:
        support: which positions the data visited.
        dynamics: how actions move the agent; a move is due in the least number of steps.
        goal_radius: distance that counts as being at the goal.
        margin: distance to unvisited cells, in environment units, that paths keep where that is not far around.

    Raises:
        UserError: the data visited nothing, or positions are not in a plane.
    """

    observation_dim = 4
    goal_dim = 2

    def __init__(
        self, support: Support, *, dynamics: DoubleIntegrator, goal_radius: float, margin: float = 0.3
    ) -> None:
        if support.visited.ndim != 2 or not support.visited.any():
            raise UserError(f"a grid planner needs visited cells in a plane; got a grid of {support.visited.shape}")
        self.grid = VisitedGrid(support, margin=margin)
        self.goal_radius = goal_radius
        middle = support.origin + support.cell * np.array(support.visited.shape) / 2
        self.reach = Reach.around(
            np.append(middle, [0, 0]),
            np.append(middle - support.origin, [dynamics.max_speed] * 2),
            goal_dim=2,
            dynamics=dynamics,
            known=known_range(support, dynamics, margin=MARGIN),
        )
        self.steps_per_point = int(np.ceil(support.cell / (dynamics.step * dynamics.max_speed)))
        self._seconds = self.steps_per_point * dynamics.step

    def plan(
        self,
        observations: np.ndarray,
        goals: np.ndarray,
        *,
        horizon: int,
        generators: Sequence[torch.Generator],
    ) -> Plan:
        """Plan for a batch of environments; see :meth:`dfplan.planner.Planner.plan`.

        Args:
            observations: ``(batch, 4)``.
            goals: ``(batch, 2)``.
            horizon: most steps of a plan.
            generators: unused, nothing is random; one an environment.

        Returns:
            Plans that end where their path does; ``actions`` has no entries for them to play.

        Raises:
            UserError: shapes that do not fit, or values that are not finite.
        """
        observations, goals = np.asanyarray(observations, np.float64), np.asanyarray(goals, np.float64)
        rows, reach = len(generators), self.reach
        checked_rows("observations", observations, num_rows=rows, width=self.observation_dim, bounds=reach.observations)
        checked_rows("goals", goals, num_rows=rows, width=self.goal_dim, bounds=reach.goals)
        starts = observations[:, :2]
        cells, moves = self.grid.paths(self.grid.nearest(starts), self.grid.nearest(goals))
        points = self.grid.centers[cells[:, : -(-horizon // self.steps_per_point)]]
        num_steps = np.minimum(moves * self.steps_per_point, horizon)
        along = steps_along(starts, points, steps_per_point=self.steps_per_point)
        arrival = first_arrival(along, goals, radius=self.goal_radius, num_steps=num_steps)
        velocities = np.diff(points, axis=1, prepend=starts[:, None]) / self._seconds
        return Plan(
            observations=np.concatenate([points, velocities], axis=-1),
            actions=np.zeros((len(points), points.shape[1] * self.steps_per_point, 0), np.float32),
            rewards=(np.linalg.norm(points - goals[:, None], axis=-1) <= self.goal_radius).astype(np.float32),
            arrival=arrival,
            num_steps=num_steps,
            value=-arrival.astype(np.float64),
            steps_per_point=self.steps_per_point,
        )
