"""Where plans that must keep something may go: visited positions clear of what is forbidden, and ways over them."""

import itertools
from collections.abc import Sequence

import numpy as np

from dfplan.domains.maze.path_tracker import arc_lengths
from dfplan.domains.maze.repair import Mender
from dfplan.planner.constraints import Constraints
from dfplan.scorers.visited_grid import VisitedGrid
from dfplan.types import Support

MARGIN = 0.1  # environment units that paths keep clear of what is forbidden; driving keeps half of it
CLOSE = 0.2  # environment units from what is not allowed within which the shortest way avoids cells
MOST_KEPT = 100  # places the distances to which are kept
MAX_PERMUTED = 6  # way-points in any order, of which every order is tried


class Surroundings:
    """The same for all plans of a planner.

    Args:
        support: which positions the data visited.
        constraints: what has to be kept.

    Attributes:
        allowed: visited positions that are clear of what is forbidden.
        mender: moves paths there.
    """

    def __init__(self, support: Support, constraints: Constraints) -> None:
        self.allowed = constraints.restrict(support, margin=MARGIN)
        self.mender = Mender(self.allowed)
        self._grid = VisitedGrid(self.allowed, margin=CLOSE) if self.allowed.visited.any() else None
        self._left: dict[int, np.ndarray] = {}  # the distances to a place, which is planned to more than once

    def way(self, start: np.ndarray, end: np.ndarray) -> np.ndarray | None:
        """The shortest path ``(points, dim)`` from a position to another; None where there is no way."""
        return self._ways(start, end[None])[0]

    def draw(self, generator: np.random.Generator) -> np.ndarray | None:
        """An allowed position ``(dim,)``, each as likely; None where there is none."""
        cells = np.argwhere(self.allowed.visited)
        if not len(cells):
            return None
        return self.allowed.origin + self.allowed.cell * (cells[generator.integers(len(cells))] + 0.5)

    def ordered(self, start: np.ndarray, places: Sequence[np.ndarray], goal: np.ndarray) -> list[np.ndarray]:
        """Places in the order of the shortest way through all of them to the goal; of many, always the nearest next."""
        knots, last = np.stack([start, *places, goal]), len(places) + 1
        ways = [self._ways(knot, knots) for knot in knots[:-1]]
        lengths = [[np.inf if way is None else arc_lengths(way)[-1] for way in each] for each in ways]
        if len(places) <= MAX_PERMUTED:
            orders = itertools.permutations(range(1, last))
            best = min(orders, key=lambda order: sum(lengths[a][b] for a, b in itertools.pairwise((0, *order, last))))
            return [knots[number] for number in best]
        left, order, here = set(range(1, last)), [], 0
        while left:
            here = min(left, key=lambda number: lengths[here][number])
            left.remove(here)
            order.append(knots[here])
        return order

    def _ways(self, start: np.ndarray, ends: np.ndarray) -> list[np.ndarray | None]:
        """Shortest paths from a position to others ``(ends, dim)``."""
        if self._grid is None:
            return [None] * len(ends)
        first, goals = self._grid.nearest(start[None])[0], self._grid.nearest(ends)
        kinds = np.unique(goals).tolist()
        if len(self._left) > MOST_KEPT:
            self._left.clear()
        for kind in kinds:
            if kind not in self._left:
                self._left[kind] = self._grid.distances(np.array([kind]))[0]
        left = np.stack([self._left[kind] for kind in kinds])
        cells, counts = self._grid.paths(np.full(len(ends), first), goals, left=left)
        found: list[np.ndarray | None] = []
        for end, goal, row, count in zip(ends, goals, cells, counts, strict=True):
            path = self._grid.centers[row[:count]]
            found.append(np.concatenate([start[None], path, end[None]]) if goal in (first, row[count - 1]) else None)
        return found
