"""Finds steps that no motion can have made, judged by the data alone."""

import numpy as np

from dfplan.types import Trajectories

NUM_MEASURED = 100_000  # steps on which is measured what is usual
FEWEST_MEASURED = 16  # of steps; with less nothing is called unusual
# How far a step may lie outside of what is expected, in lengths of a long usual step ...
TOLERANCE, TOLERANCE_WHERE_EXACT = 2.0, 0.1
TOLERANCE_OF_NOISE = 50  # ... and in usual distances from what is expected, whichever is more
EXACT = 0.01  # error at most of what tells a step exactly, in long usual steps
# Shares by which rows count as taken out all the time: of fast steps that are exact, of moving ones that are several.
FEWEST_EXACT, FEWEST_MULTIPLE, MOST_UNEXPLAINED, LARGEST_MULTIPLE = 0.15, 0.15, 0.1, 10
LARGEST_CHANGE = 5  # of the velocity over a step, in long usual steps per step


def find_jumps(trajectories: Trajectories, *, num_axes: int) -> np.ndarray:
    """Find the steps inside trajectories that are impossible.

    Along every axis a step is expected to be what the velocity makes of it, at one of its ends or something in between.
    The velocities are the numbers behind the coordinates, as many of them, where the data bear that out; elsewhere they
    are the steps before and after. Impossible is what lies further outside than twice the length of a long usual step
    (a tenth of it where velocities tell the steps exactly) *and* fifty times further than usual, by which noise and
    coarse numbers pass; and a change of velocity by five times a large one. No such step is in D4RL's maze2d, in the
    motion of Gymnasium's Hopper and HalfCheetah, in pushers that people steer, or in the ways of pedestrians. Where
    many a step is exactly one, and many another two or more, rows were taken out all the time, and what is usual tells
    nothing: there it is a tenth of a long step alone.

    Args:
        trajectories: the data.
        num_axes: leading numbers of an observation that are coordinates, in one unit.

    Returns:
        ``(rows,)`` bool, True where the next row belongs to the same trajectory and cannot follow.
    """
    moved, jumps = _steps(trajectories, num_axes), np.zeros(len(trajectories), bool)
    sample = _sample(moved)
    if len(sample) < FEWEST_MEASURED:
        return jumps
    expected = [_Expected(trajectories, moved, sample, axis=axis) for axis in range(num_axes)]
    lengths = np.nan_to_num(np.abs([each.before[sample] for each in expected])).max(axis=0)
    lengths = lengths[lengths > 0]
    if len(lengths) < FEWEST_MEASURED:
        return jumps
    long_step = float(np.quantile(lengths, 0.9))
    for axis, each in enumerate(expected):
        outside = _outside(moved[:, axis], each.before, each.after)
        if each.by_velocity:
            jumps[:-1] |= np.abs(each.after - each.before) > LARGEST_CHANGE * long_step
        exact = each.by_velocity and each.tells(moved[:, axis], sample, error=EXACT * long_step)
        tolerance = (TOLERANCE_WHERE_EXACT if exact or each.is_thinned else TOLERANCE) * long_step
        noise = 0.0 if each.is_thinned else TOLERANCE_OF_NOISE * np.median(outside[sample])
        jumps[:-1] |= outside > np.fmax(tolerance, noise)
    jumps[:-1] &= ~np.isnan(moved[:, 0])
    return jumps


class _Expected:
    """The steps along one axis as the velocities have them or, where these tell nothing, the steps around.

    Attributes:
        by_velocity: whether the velocities do.
        is_thinned: whether, by them, rows were taken out all the time.
        before: ``(rows - 1,)`` what a step should be by what was before it; NaN where that is unknown.
        after: ``(rows - 1,)`` by what came after it.
    """

    def __init__(self, trajectories: Trajectories, moved: np.ndarray, sample: np.ndarray, *, axis: int) -> None:
        velocity = _velocity(trajectories, axis, moved.shape[1])
        time = None if velocity is None else _step_time(moved[sample, axis], velocity, sample)
        thinned = None if velocity is None else _step_time_if_thinned(moved[sample, axis], velocity, sample)
        time, self.is_thinned = time if thinned is None else thinned, thinned is not None
        self.by_velocity = time is not None
        if velocity is not None and time is not None:
            self.before, self.after = time * velocity[:-1], time * velocity[1:]
        else:
            self.before, self.after = _shifted(moved[:, axis], first=np.nan), np.append(moved[1:, axis], np.nan)

    def tells(self, moved: np.ndarray, sample: np.ndarray, *, error: float) -> bool:
        """Whether three steps of five are exactly what they should be, but for the ``error``, by one of the two."""
        return any(np.quantile(np.abs(moved - each)[sample], 0.6) < error for each in (self.before, self.after))


def step_times(trajectories: Trajectories, *, num_axes: int) -> dict[int, float | None]:
    """The time between two rows by which the velocities explain the motion, for every axis along which something moves.

    None where they contradict it: the numbers behind the coordinates, which should be velocities, are none.
    """
    moved = _steps(trajectories, num_axes)
    sample = _sample(moved)
    moving = np.count_nonzero(moved[sample], axis=0) >= FEWEST_MEASURED
    times: dict[int, float | None] = {}
    for axis in np.flatnonzero(moving).tolist():
        velocity = _velocity(trajectories, axis, num_axes)
        times[axis] = None if velocity is None else _step_time(moved[sample, axis], velocity, sample)
    return times


def _steps(trajectories: Trajectories, num_axes: int) -> np.ndarray:
    """By how much each row's coordinates differ from the next one's, ``(rows - 1, dim)``; NaN between trajectories."""
    moved = np.diff(trajectories.observations[:, :num_axes].astype(np.float64), axis=0)
    moved[trajectories.starts[1:-1] - 1] = np.nan
    return moved


def _sample(moved: np.ndarray) -> np.ndarray:
    """Indices of steps to measure on: all of them, or of many a part, evenly spread."""
    steps = np.flatnonzero(~np.isnan(moved[:, 0]))
    return steps[:: max(1, len(steps) // NUM_MEASURED)]


def _velocity(trajectories: Trajectories, axis: int, num_axes: int) -> np.ndarray | None:
    """What should be the velocity along an axis, ``(rows,)``."""
    if trajectories.observations.shape[1] < 2 * num_axes:
        return None
    return trajectories.observations[:, num_axes + axis].astype(np.float64)


def _step_time(moved: np.ndarray, velocity: np.ndarray, sample: np.ndarray) -> float | None:
    """The time of a step by which ``velocity`` explains the steps ``moved`` in ``sample``; None where it does not.

    Simulators move by the velocity after a step, or before it, and others by something in between: whichever tells the
    steps best counts, as where rows are missing the others are off.
    """
    before, after = velocity[sample], velocity[sample + 1]
    moving, best, least = moved != 0, 0.0, np.inf
    for each in ((before + after) / 2, after, before):
        fast = (np.abs(each) >= np.median(np.abs(each))) & (each != 0)
        if not (fast.any() and moving.any()):
            return None
        time = float(np.median(moved[fast] / each[fast]))
        error = float(np.median(np.abs(moved - time * each)[moving]))
        if error < least:
            best, least = time, error
    unexplained = np.median(_outside(moved, best * before, best * after)[moving])
    return best if best > 0 and unexplained < np.median(np.abs(moved[moving])) / 2 else None


def _step_time_if_thinned(moved: np.ndarray, velocity: np.ndarray, sample: np.ndarray) -> float | None:
    """The time of a step, where many of the steps ``moved`` in ``sample`` are exactly one and most others are several.

    None where that is not so. The shortest steps tell it, as those of rows around a gap are longer.
    """
    before, after = velocity[sample], velocity[sample + 1]
    moving = moved != 0
    if not moving.any():
        return None
    before, after, moved = before[moving], after[moving], moved[moving]
    long_step = np.quantile(np.abs(moved), 0.9)
    for each in (after, before):
        fast = (np.abs(each) >= np.median(np.abs(each))) & (each != 0)
        for share in (0.1, 0.2, 0.3) if fast.any() else ():
            time = float(np.quantile(moved[fast] / each[fast], share))
            exact = np.abs(moved - time * each) < EXACT * long_step
            single = _outside(moved, time * before, time * after) <= TOLERANCE_WHERE_EXACT * long_step
            several = np.zeros(len(moved), bool)
            for count in range(2, LARGEST_MULTIPLE + 1):
                beyond = _outside(moved, count * time * before, count * time * after)
                several |= ~single & (beyond <= TOLERANCE_WHERE_EXACT * long_step)
            if (
                time > 0
                and exact[fast].mean() >= FEWEST_EXACT  # slow ones are near to anything
                and several.mean() >= FEWEST_MULTIPLE
                and np.mean(~(single | several)) <= MOST_UNEXPLAINED
            ):
                return time
    return None


def _outside(values: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """How far values lie outside the range between ``one`` and ``other``; NaN, in one or in all, is not outside."""
    low, high = np.fmin(one, other), np.fmax(one, other)
    return np.nan_to_num(np.maximum(np.maximum(low - values, values - high), 0))


def _shifted(values: np.ndarray, *, first: float) -> np.ndarray:
    """Each entry's predecessor."""
    return np.append(np.array([first], values.dtype), values[:-1])
