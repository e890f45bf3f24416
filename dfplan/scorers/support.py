"""Measures on data which places were ever visited."""

from dataclasses import replace

import numpy as np

from dfplan.types import Bounds, DoubleIntegrator, Support, Trajectories


def measure_support(
    trajectories: Trajectories, *, goal_dim: int = 2, cell: float = 0.1, least_visits: int = 3
) -> Support:
    """Count the rows in every cell of a grid over the places.

    Args:
        trajectories: the data.
        goal_dim: leading dimensions of an observation that are the place.
        cell: edge length of a cell, in environment units.
        least_visits: rows that make a cell visited.
    """
    places = trajectories.observations[:, :goal_dim].astype(np.float64)
    origin = np.floor(places.min(axis=0) / cell) * cell
    index = np.floor((places - origin) / cell).astype(np.int64)
    shape = tuple(index.max(axis=0) + 1)
    counts = np.bincount(np.ravel_multi_index(tuple(index.T), shape), minlength=int(np.prod(shape)))
    return Support(visited=(counts >= least_visits).reshape(shape), origin=origin, cell=cell)


class Departures:
    """How far places lie from visited ones, by the cells between them: beside them it is 0, as there the map is ragged.

    Args:
        support: which places were visited.
        most: cells from visited ones; what is farther counts as that.
    """

    def __init__(self, support: Support, *, most: int) -> None:
        self._support, self._most = support, most
        near = np.pad(support.visited, most)
        self._cells = np.full(near.shape, most)
        for rings in range(most):
            self._cells[near] = np.minimum(self._cells[near], rings)
            near = _around(near) > 0

    def of(self, places: np.ndarray) -> np.ndarray:
        """Environment units ``(...)`` from ``places`` ``(..., dim)`` to the cells beside visited ones."""
        index = np.floor((places - self._support.origin) / self._support.cell) + self._most
        index = np.clip(index, 0, np.array(self._cells.shape) - 1).astype(np.int64)
        return self._support.cell * np.maximum(self._cells[tuple(np.moveaxis(index, -1, 0))] - 1, 0)


def without_gaps(support: Support) -> Support:
    """The same, where cells most of whose surroundings were visited count as visited: rarely seen edges are ragged."""
    around = _around(np.pad(support.visited, 1))[(slice(1, -1),) * support.visited.ndim]
    return replace(support, visited=support.visited | (2 * around > 3**around.ndim))


def _around(cells: np.ndarray) -> np.ndarray:
    """How many of a cell and its neighbours are ``cells``, the rim of which is none."""
    count = cells.astype(np.int64)
    for axis in range(count.ndim):
        count = np.sum([np.roll(count, shift, axis=axis) for shift in (-1, 0, 1)], axis=0)
    return count


def known_range(support: Support, dynamics: DoubleIntegrator, *, margin: float) -> Bounds:
    """Between which numbers places and velocities of the data lie ``(2 * dim,)``, with a share more on either side."""
    fastest, places = np.full(len(support.origin), dynamics.max_speed), support.range
    ends = (places.low, -fastest), (places.high, fastest)
    return Bounds(*(np.concatenate(each) for each in ends)).widened(margin)
