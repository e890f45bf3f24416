"""When a planned path first reaches its goal."""

import numpy as np


def steps_along(start: np.ndarray, points: np.ndarray, *, steps_per_point: int) -> np.ndarray:
    """Positions at every step, linear between the planned points.

    Args:
        start: ``(batch, dim)`` position planned from.
        points: ``(batch, points, dim)`` planned positions, one every ``steps_per_point`` steps.
        steps_per_point: steps between two points.

    Returns:
        ``(batch, points * steps_per_point, dim)``; entry ``k`` is the position after ``k + 1`` steps.
    """
    knots = np.concatenate([start[:, None], points], axis=1)
    share = (np.arange(1, steps_per_point + 1) / steps_per_point)[None, None, :, None]
    between = knots[:, :-1, None] * (1 - share) + knots[:, 1:, None] * share
    return between.reshape(len(points), -1, points.shape[-1])


def first_arrival(positions: np.ndarray, goals: np.ndarray, *, radius: float) -> np.ndarray:
    """First step at which each path lies within ``radius`` of its goal.

    Args:
        positions: ``(batch, steps, dim)``, entry ``k`` after ``k + 1`` steps.
        goals: ``(batch, dim)``.
        radius: distance that counts as arrived.

    Returns:
        ``(batch,)`` int64 in ``1 … steps``; ``steps + 1`` where it never arrives.
    """
    there = np.linalg.norm(positions - goals[:, None], axis=-1) <= radius
    return np.where(there.any(axis=1), there.argmax(axis=1) + 1, positions.shape[1] + 1).astype(np.int64)
