"""What makes one candidate plan better than another: when it arrives, and whether its motion is believable."""

import numpy as np

from dfplan.types import PointMass, PositionSupport

BROKEN = 1e3  # longest plans that a broken constraint, or a missed way-point, counts as in the value of a plan


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


def first_arrival(
    positions: np.ndarray,
    goals: np.ndarray,
    *,
    radius: float,
    num_steps: np.ndarray,
    after: np.ndarray | None = None,
) -> np.ndarray:
    """First step at which each path lies within ``radius`` of its goal.

    Args:
        positions: ``(batch, steps, dim)``, entry ``k`` after ``k + 1`` steps.
        goals: ``(batch, dim)``.
        radius: distance that counts as arrived.
        num_steps: ``(batch,)`` how many steps of each path are planned.
        after: ``(batch,)`` step before which being there is no arrival; None is any.

    Returns:
        ``(batch,)`` int64 in ``1 … num_steps``; ``num_steps + 1`` where it never arrives.
    """
    there = np.linalg.norm(positions - goals[:, None], axis=-1) <= radius
    steps = np.arange(1, positions.shape[1] + 1)
    there &= steps <= num_steps[:, None]
    if after is not None:
        there &= steps >= after[:, None]
    return np.where(there.any(axis=1), there.argmax(axis=1) + 1, num_steps + 1).astype(np.int64)


def largest_jump(
    start: np.ndarray, states: np.ndarray, *, arrival: np.ndarray, steps_per_point: int, point_mass: PointMass
) -> np.ndarray:
    """How far a plan's positions disagree with its own velocities, at worst, before it arrives.

    A plan that cuts through a wall moves farther between two points than the velocities at these points say. The
    measure needs no map.

    Args:
        start: ``(batch, 2 * dim)`` state planned from: positions, then velocities.
        states: ``(batch, points, 2 * dim)`` planned states, one every ``steps_per_point`` steps.
        arrival: ``(batch,)`` step of arrival; later points do not count.
        steps_per_point: steps between two points.
        point_mass: tells how far a velocity moves the agent in one step.

    Returns:
        ``(batch,)`` in units of the farthest that the agent can move between two points.
    """
    dim = start.shape[1] // 2
    knots = np.concatenate([start[:, None], states], axis=1)
    seconds = point_mass.step * steps_per_point
    moved = np.diff(knots[..., :dim], axis=1)
    by_velocity = seconds * (knots[:, 1:, dim:] + knots[:, :-1, dim:]) / 2
    jump = np.abs(moved - by_velocity).max(axis=-1)
    counted = np.arange(states.shape[1]) * steps_per_point < arrival[:, None]
    return np.where(counted, jump, 0).max(axis=1) / (seconds * point_mass.max_speed)


def share_outside(positions: np.ndarray, *, arrival: np.ndarray, support: PositionSupport) -> np.ndarray:
    """Share of each path's steps before arrival that lie where the data never was, ``(batch,)``.

    Args:
        positions: ``(batch, steps, dim)``, entry ``k`` after ``k + 1`` steps.
        arrival: ``(batch,)`` step of arrival.
        support: where the data was.
    """
    counted = np.arange(1, positions.shape[1] + 1) <= arrival[:, None]
    return (counted & ~support.contains(positions)).sum(axis=1) / counted.sum(axis=1)


def judge_plans(
    starts: np.ndarray,
    states: np.ndarray,
    goals: np.ndarray,
    *,
    num_steps: np.ndarray,
    steps_per_point: int,
    goal_radius: float,
    point_mass: PointMass,
    support: PositionSupport,
    jump_penalty: float,
    support_penalty: float,
    after: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Value plans: the believable one that arrives first is best; of those that never arrive, the nearest.

    Args:
        starts: ``(batch, observation_dim)`` states planned from.
        states: ``(batch, points, observation_dim)`` planned states, one every ``steps_per_point`` steps.
        goals: ``(batch, dim)``; positions are the leading ``dim`` numbers of a state.
        num_steps: ``(batch,)`` how many steps of each plan are planned.
        steps_per_point: steps between two points.
        goal_radius: distance that counts as arrived.
        point_mass: how actions move the agent.
        support: where the data was.
        jump_penalty: doubt per :func:`largest_jump`.
        support_penalty: doubt per :func:`share_outside`.
        after: ``(batch,)`` step before which being at the goal is no arrival; None is any.

    Returns:
        ``(batch,)`` step of arrival (:func:`first_arrival`) and ``(batch,)`` value; larger is better.
    """
    dim = goals.shape[1]
    positions = steps_along(starts[:, :dim], states[..., :dim], steps_per_point=steps_per_point)
    arrival = first_arrival(positions, goals, radius=goal_radius, num_steps=num_steps, after=after)
    jump = largest_jump(starts, states, arrival=arrival, steps_per_point=steps_per_point, point_mass=point_mass)
    planned = np.arange(positions.shape[1]) < num_steps[:, None]
    nearest = np.where(planned, np.linalg.norm(positions - goals[:, None], axis=-1), np.inf).min(axis=1)
    doubt = jump_penalty * jump + support_penalty * share_outside(positions, arrival=arrival, support=support)
    # Nearness only decides among equals, or where none arrives: it is squashed below one step.
    cost = (arrival + nearest / (1 + nearest)) * (1 + doubt)
    return arrival, -cost
