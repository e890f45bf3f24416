"""Measures on data how actions move the agent where nothing is in its way."""

import numpy as np

from dfplan.errors import UserError
from dfplan.types import DoubleIntegrator, Trajectories

FEWEST_MEASURED = 8  # steps of an axis that a point mass is fitted to


def fit_dynamics(trajectories: Trajectories, *, goal_dim: int = 2, max_rows: int = 200_000) -> DoubleIntegrator:
    """Fit one point mass to all axes by least squares, twice: the second time without the rows that hit something.

    Args:
        trajectories: observations are positions followed by velocities of as many axes.
        goal_dim: number of axes.
        max_rows: rows used, from the start of the data.

    Raises:
        UserError: the observations are not positions and velocities, there are too few, or actions explain nothing of
            the motion.
    """
    if trajectories.observations.shape[1] != 2 * goal_dim or trajectories.actions.shape[1] != goal_dim:
        raise UserError(
            f"a point mass needs positions, velocities and actions of {goal_dim} axes; got observations of "
            f"{trajectories.observations.shape[1]} and actions of {trajectories.actions.shape[1]} numbers"
        )
    rows = min(max_rows, len(trajectories))
    inside = np.ones(rows, dtype=bool)
    inside[trajectories.starts[1:][trajectories.starts[1:] <= rows] - 1] = False
    before = np.flatnonzero(inside[: rows - 1])
    observations, actions = trajectories.observations.astype(np.float64), trajectories.actions.astype(np.float64)
    velocity, next_velocity = (observations[index, goal_dim:].ravel() for index in (before, before + 1))
    moved = (observations[before + 1, :goal_dim] - observations[before, :goal_dim]).ravel()
    action = actions[before].ravel()
    max_speed = float(np.abs(observations[:rows, goal_dim:]).max())
    free = np.abs(velocity) < 0.9 * max_speed
    if np.count_nonzero(free) < FEWEST_MEASURED:
        raise UserError(
            f"{trajectories.source} has {len(before)} steps, too few to measure how actions move the agent; use more "
            "data"
        )
    coefficients = np.zeros(2)
    for _ in range(2):
        inputs = np.stack([velocity[free], action[free]], axis=1)
        coefficients, *_ = np.linalg.lstsq(inputs, next_velocity[free], rcond=None)
        residual = np.abs(next_velocity - velocity * coefficients[0] - action * coefficients[1])
        free &= residual < np.quantile(residual[free], 0.8)
    decay, gain = (float(value) for value in coefficients)
    step = float((moved[free] * next_velocity[free]).sum() / (next_velocity[free] ** 2).sum())
    if not (gain > 0 and step > 0):
        raise UserError(f"actions of {trajectories.source} do not push the agent (gain {gain:.3g}, step {step:.3g})")
    return DoubleIntegrator(decay=decay, gain=gain, step=step, max_speed=max_speed)
