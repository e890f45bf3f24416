"""The cells that the data visited as a graph, and the shortest paths over them."""

import numpy as np

from dfplan.types import Support

MOVES = np.array([(x, y) for x in (-1, 0, 1) for y in (-1, 0, 1) if x or y])  # to the eight neighbours
CLOSE = 10.0  # times as far: a cell within the margin is passed where the way around is longer still


class VisitedGrid:
    """Visited cells as a graph: neighbours are one move apart, and no move cuts the corner of an unvisited cell.

    Args:
        support: which places the data visited.
        margin: distance to unvisited cells, in environment units, within which a cell counts :data:`CLOSE` times.
    """

    def __init__(self, support: Support, *, margin: float) -> None:
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
        self._support, self._number = support, number[1:-1, 1:-1]
        self.neighbors = np.where(passable, number[tuple(ahead)], 0)
        lengths = support.cell * np.linalg.norm(MOVES, axis=1) * (price[:, None] + price[self.neighbors]) / 2
        self.lengths = np.where(passable, lengths, np.inf)

    def cells_of(self, places: np.ndarray) -> np.ndarray:
        """Numbers of the visited cells in which ``places`` ``(batch, 2)`` lie, ``(batch,)``; -1 is none."""
        shape = np.array(self._number.shape)
        cells = np.floor((places - self._support.origin) / self._support.cell).astype(np.int64)
        inside = ((cells >= 0) & (cells < shape)).all(axis=1)
        return np.where(inside, self._number[tuple(np.clip(cells, 0, shape - 1).T)], -1)

    def nearest(self, places: np.ndarray) -> np.ndarray:
        """Numbers of the visited cells nearest to ``places`` ``(batch, 2)``, ``(batch,)``."""
        return np.array([((self.centers - each) ** 2).sum(axis=1).argmin() for each in places])

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

    def paths(
        self, starts: np.ndarray, goals: np.ndarray, *, left: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Shortest paths between cells.

        Args:
            starts: ``(batch,)`` numbers of cells.
            goals: ``(batch,)`` likewise.
            left: :meth:`distances` to the goals, each once, in the order of their numbers; None is to compute them.

        Returns:
            Cells ``(batch, moves)`` after each move, the last one repeated, and how many moves there are, ``(batch,)``
            and at least 1; where there is no way, the one cell is that of the start.
        """
        kinds, kind = np.unique(goals, return_inverse=True)
        left = self.distances(kinds) if left is None else left
        left = np.where(np.isinf(left), 0, left)  # nowhere to go from there
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
