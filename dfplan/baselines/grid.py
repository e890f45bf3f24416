"""The shortest path over cells that the data visited: a planner without a network, to be asked what a network adds.

It knows what every planner of dfplan knows of a maze, the map of visited positions, and nothing else.
"""

from collections.abc import Sequence

import numpy as np
import torch

from dfplan.arrays import checked_rows
from dfplan.errors import UserError
from dfplan.planner.ranking import first_arrival, steps_along
from dfplan.types import Plan, PointMass, PositionSupport, Reach

MOVES = np.array([(x, y) for x in (-1, 0, 1) for y in (-1, 0, 1) if x or y])  # to the eight neighbours
CLOSE = 10.0  # times as far: a cell within the margin is passed where the way around is longer still


class VisitedGrid:
    """Visited cells as a graph: neighbours are one move apart, and no move cuts the corner of an unvisited cell.

    Args:
        support: which positions the data visited.
        margin: distance to unvisited cells, in environment units, within which a cell counts :data:`CLOSE` times.
    """

    def __init__(self, support: PositionSupport, *, margin: float) -> None:
        visited = np.pad(support.visited, 1)
        cells = np.argwhere(visited)
        number = np.full(visited.shape, -1)
        number[visited] = np.arange(len(cells))
        ahead = np.moveaxis(cells[:, None] + MOVES, -1, 0)
        beside = (
            np.moveaxis(cells[:, None] + MOVES * (1, 0), -1, 0),
            np.moveaxis(cells[:, None] + MOVES * (0, 1), -1, 0),
        )
        passable = visited[tuple(ahead)] & visited[tuple(beside[0])] & visited[tuple(beside[1])]
        price = np.where(_shrunk(visited, times=round(margin / support.cell))[visited], 1.0, CLOSE)
        self.centers = support.origin + (cells - 0.5) * support.cell  # the rim of padding is one cell wide
        self.neighbors = np.where(passable, number[tuple(ahead)], 0)
        lengths = support.cell * np.linalg.norm(MOVES, axis=1) * (price[:, None] + price[self.neighbors]) / 2
        self.lengths = np.where(passable, lengths, np.inf)

    def nearest(self, positions: np.ndarray) -> np.ndarray:
        """Numbers of the visited cells nearest to ``positions`` ``(batch, 2)``, ``(batch,)``."""
        return np.array([((self.centers - each) ** 2).sum(axis=1).argmin() for each in positions])

    def distances(self, goals: np.ndarray) -> np.ndarray:
        """Distance left ``(goals, cells)`` from every cell to the cells ``goals``; infinite where there is no way.

        All goals spread at once, from the cells whose distance has just become less (Bellman and Ford).
        """
        num_cells = len(self.centers)
        left = np.full(len(goals) * num_cells, np.inf)
        improved = np.arange(len(goals)) * num_cells + goals
        left[improved] = 0
        while len(improved):
            cell = improved % num_cells
            ahead = (improved - cell)[:, None] + self.neighbors[cell]
            found = left[improved][:, None] + self.lengths[cell]
            less = found < left[ahead]
            np.minimum.at(left, ahead[less], found[less])
            improved = np.unique(ahead[less])
        return left.reshape(len(goals), num_cells)

    def paths(self, starts: np.ndarray, goals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Shortest paths between cells.

        Args:
            starts: ``(batch,)`` numbers of cells.
            goals: ``(batch,)`` likewise.

        Returns:
            Cells ``(batch, moves)`` after each move, the last one repeated, and how many moves there are, ``(batch,)``
            and at least 1; where there is no way, the one cell is that of the start.
        """
        kinds, kind = np.unique(goals, return_inverse=True)
        left = self.distances(kinds)
        left[np.isinf(left)] = 0  # nowhere to go from there
        cells, counts = [starts], np.ones(len(starts), np.int64)
        while (moving := left[kind, cells[-1]] > 0).any():
            ahead = self.neighbors[cells[-1]]
            best = (left[kind[:, None], ahead] + self.lengths[cells[-1]]).argmin(axis=1)
            cells.append(np.where(moving, ahead[np.arange(len(best)), best], cells[-1]))
            counts = np.where(moving, len(cells) - 1, counts)
        return np.stack(cells[1:] or cells, axis=1), counts


def _shrunk(cells: np.ndarray, *, times: int) -> np.ndarray:
    """The cells all of whose neighbours, up to ``times`` cells away, are cells, too; the rim is not one."""
    for _ in range(times):
        for axis in (0, 1):
            cells = cells & np.roll(cells, 1, axis=axis) & np.roll(cells, -1, axis=axis)
    return cells


class GridPlanner:
    """Plans paths, not actions: a controller has to drive along them.

    Every plan is computed from nothing, also where the goal is that of the plan before.

    Args:
        support: which positions the data visited.
        point_mass: how actions move the agent; a move is due in the least number of steps.
        goal_radius: distance that counts as being at the goal.
        margin: distance to unvisited cells, in environment units, that paths keep where that is not far around.

    Raises:
        UserError: the data visited nothing, or positions are not in a plane.
    """

    observation_dim = 4
    position_dim = 2

    def __init__(
        self, support: PositionSupport, *, point_mass: PointMass, goal_radius: float, margin: float = 0.3
    ) -> None:
        if support.visited.ndim != 2 or not support.visited.any():
            raise UserError(f"a grid planner needs visited cells in a plane; got a grid of {support.visited.shape}")
        self.grid = VisitedGrid(support, margin=margin)
        self.goal_radius = goal_radius
        middle = support.origin + support.cell * np.array(support.visited.shape) / 2
        self.reach = Reach.around(
            np.append(middle, [0, 0]),
            np.append(middle - support.origin, [point_mass.max_speed] * 2),
            position_dim=2,
            point_mass=point_mass,
        )
        self.steps_per_point = int(np.ceil(support.cell / (point_mass.step * point_mass.max_speed)))
        self._seconds = self.steps_per_point * point_mass.step

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
        checked_rows("goals", goals, num_rows=rows, width=self.position_dim, bounds=reach.goals)
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
