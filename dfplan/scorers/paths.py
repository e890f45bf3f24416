"""Paths of planned points, step by step."""

import numpy as np


def steps_along(start: np.ndarray, points: np.ndarray, *, steps_per_point: int) -> np.ndarray:
    """Places at every step, linear between the planned points.

    Args:
        start: ``(batch, dim)`` place planned from.
        points: ``(batch, points, dim)`` planned places, one every ``steps_per_point`` steps.
        steps_per_point: steps between two points.

    Returns:
        ``(batch, points * steps_per_point, dim)``; entry ``k`` is the place after ``k + 1`` steps.
    """
    knots = np.concatenate([start[:, None], points], axis=1)
    share = (np.arange(1, steps_per_point + 1) / steps_per_point)[None, None, :, None]
    between = knots[:, :-1, None] * (1 - share) + knots[:, 1:, None] * share
    return between.reshape(len(points), points.shape[1] * steps_per_point, points.shape[-1])


def first_arrival(
    places: np.ndarray,
    goals: np.ndarray,
    *,
    radius: float,
    num_steps: np.ndarray,
    after: np.ndarray | None = None,
) -> np.ndarray:
    """First step at which each path lies within ``radius`` of its goal.

    Args:
        places: ``(batch, steps, dim)``, entry ``k`` after ``k + 1`` steps.
        goals: ``(batch, dim)``.
        radius: distance that counts as arrived.
        num_steps: ``(batch,)`` how many steps of each path are planned.
        after: ``(batch,)`` step before which being there is no arrival; None is any.

    Returns:
        ``(batch,)`` int64 in ``1 … num_steps``; ``num_steps + 1`` where it never arrives.
    """
    there = np.linalg.norm(places - goals[:, None], axis=-1) <= radius
    steps = np.arange(1, places.shape[1] + 1)
    there &= steps <= num_steps[:, None]
    if after is not None:
        there &= steps >= after[:, None]
    return np.where(there.any(axis=1), there.argmax(axis=1) + 1, num_steps + 1).astype(np.int64)
