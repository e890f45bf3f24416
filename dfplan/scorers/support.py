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


def without_gaps(support: Support) -> Support:
    """The same, where cells most of whose surroundings were visited count as visited: rarely seen edges are ragged."""
    padded = np.pad(support.visited.astype(np.int64), 1)
    for axis in range(padded.ndim):
        padded = np.sum([np.roll(padded, shift, axis=axis) for shift in (-1, 0, 1)], axis=0)
    around = padded[(slice(1, -1),) * padded.ndim]
    return replace(support, visited=support.visited | (2 * around > 3**padded.ndim))


def known_range(support: Support, dynamics: DoubleIntegrator, *, margin: float) -> Bounds:
    """Between which numbers places and velocities of the data lie ``(2 * dim,)``, with a share more on either side."""
    fastest, places = np.full(len(support.origin), dynamics.max_speed), support.range
    ends = (places.low, -fastest), (places.high, fastest)
    return Bounds(*(np.concatenate(each) for each in ends)).widened(margin)
