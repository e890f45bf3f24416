"""Measures on data which positions were ever visited."""

from dataclasses import replace

import numpy as np

from dfplan.types import PositionSupport, Trajectories


def measure_support(
    trajectories: Trajectories, *, goal_dim: int = 2, cell: float = 0.1, least_visits: int = 3
) -> PositionSupport:
    """Count the rows in every cell of a grid over the positions.

    Args:
        trajectories: the data.
        goal_dim: leading dimensions of an observation that are the position.
        cell: edge length of a cell, in environment units.
        least_visits: rows that make a cell visited.
    """
    positions = trajectories.observations[:, :goal_dim].astype(np.float64)
    origin = np.floor(positions.min(axis=0) / cell) * cell
    index = np.floor((positions - origin) / cell).astype(np.int64)
    shape = tuple(index.max(axis=0) + 1)
    counts = np.bincount(np.ravel_multi_index(tuple(index.T), shape), minlength=int(np.prod(shape)))
    return PositionSupport(visited=(counts >= least_visits).reshape(shape), origin=origin, cell=cell)


def without_gaps(support: PositionSupport) -> PositionSupport:
    """The same, where cells most of whose surroundings were visited count as visited: rarely seen edges are ragged."""
    padded = np.pad(support.visited.astype(np.int64), 1)
    for axis in range(padded.ndim):
        padded = np.sum([np.roll(padded, shift, axis=axis) for shift in (-1, 0, 1)], axis=0)
    around = padded[(slice(1, -1),) * padded.ndim]
    return replace(support, visited=support.visited | (2 * around > 3**padded.ndim))
