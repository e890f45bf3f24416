"""The steps from row to row inside episodes, and which observed numbers are the velocities of which others."""

from dataclasses import dataclass

import numpy as np

from dfplan.types import Trajectories

NUM_SAMPLED = 50_000  # steps, evenly spread
FEWEST = 32  # steps from which anything is concluded
LEAST_CORRELATION = 0.8  # between steps of a coordinate and its velocity; half as many where rows are missing
FARTHEST = 0.6  # of a full turn, that an angle goes in a step
TURNS = (2 * np.pi, 360.0)  # of angles, in radians and degrees


@dataclass(frozen=True)
class Pair:
    """A coordinate and its velocity, both numbers of an observation.

    Attributes:
        coordinate: dimension of an observation.
        velocity: likewise.
        step_time: time from row to row by which the velocity makes the steps of the coordinate.
        correlation: of the steps with the velocity, above 0.8; nearer to 1 where the two tell each other exactly.
    """

    coordinate: int
    velocity: int
    step_time: float
    correlation: float


def step_rows(data: Trajectories) -> np.ndarray:
    """Rows whose next row is of the same episode, ``(steps,)``."""
    inside = np.ones(len(data), bool)
    inside[data.starts[1:] - 1] = False
    return np.flatnonzero(inside)


def sampled(rows: np.ndarray, *, at_most: int = NUM_SAMPLED) -> np.ndarray:
    """So many of the rows at most, evenly spread."""
    return rows[:: max(1, -(-len(rows) // at_most))]


def episodes_of(data: Trajectories, rows: np.ndarray) -> np.ndarray:
    """The number of the episode of each row."""
    return np.searchsorted(data.starts, rows, side="right") - 1


def change(data: Trajectories, rows: np.ndarray, dimension: int | slice) -> np.ndarray:
    """By how much an observation's dimensions change from these rows to the next, float64."""
    column = data.observations[:, dimension]
    return column[rows + 1].astype(np.float64) - column[rows]


def turn_of(moved: np.ndarray) -> float | None:
    """What a full turn is where the steps of a dimension are those of an angle that begins anew; else None."""
    lengths = np.abs(moved)
    usual = float(np.quantile(lengths, 0.9)) if len(lengths) else 0.0
    for turn in TURNS:
        far = lengths[lengths > FARTHEST * turn]
        if 0 < 10 * usual < turn and len(far) and (np.abs(far - turn) < max(4 * usual, 0.1 * turn)).all():
            return turn
    return None


def without_turns(moved: np.ndarray) -> np.ndarray:
    """The steps of an angle without its beginning anew; steps of anything else as they are."""
    turn = turn_of(moved)
    return moved if turn is None else moved - turn * np.round(moved / turn)


def find_pairs(data: Trajectories) -> list[Pair]:
    """The coordinates whose steps are those of another observed number times a time, each with the best such number."""
    rows = sampled(step_rows(data))
    if len(rows) < FEWEST:
        return []
    moved = without_constants(change(data, rows, slice(None)))
    for dimension in range(moved.shape[1]):
        moved[:, dimension] = without_turns(moved[:, dimension])
    speeds = (data.observations[rows].astype(np.float64) + data.observations[rows + 1]) / 2
    usual, slow = (_without_extremes(_by_episode(each, episodes_of(data, rows))) for each in (moved, speeds))
    correlations = np.minimum(_cosines(usual, slow), _cosines(usual - usual.mean(0), slow - slow.mean(0)))
    np.fill_diagonal(correlations, 0)
    pairs = []
    for coordinate, velocity in enumerate(correlations.argmax(axis=1).tolist()):
        if correlations[coordinate, velocity] >= LEAST_CORRELATION:
            speed = speeds[:, velocity]
            fast = np.abs(speed) >= np.median(np.abs(speed))
            time = float(np.median(moved[fast, coordinate] / speed[fast]))
            pairs.append(Pair(coordinate, velocity, time, float(correlations[coordinate, velocity])))
    return [each for each in pairs if each.step_time > 0]


def without_constants(moved: np.ndarray) -> np.ndarray:
    """Steps of what is nearly constant, but for noise of its arithmetic, as none at all."""
    return np.where(np.abs(moved) < 1e-12, 0.0, moved)


def _by_episode(values: np.ndarray, episodes: np.ndarray) -> np.ndarray:
    """Values over their usual size in the episode, so that one in other units says the same as the rest."""
    begins = np.flatnonzero(np.diff(episodes, prepend=-1))
    lengths = np.diff(begins, append=len(values))
    sizes = np.sqrt(np.add.reduceat(values**2, begins, axis=0) / lengths[:, None])
    return values / np.repeat(np.where(sizes > 1e-12, sizes, np.inf), lengths, axis=0)


def _without_extremes(values: np.ndarray) -> np.ndarray:
    """Values as they are but for the largest twentieth, of leaps and blows, which are cut to the rest."""
    most = np.quantile(np.abs(values), 0.95, axis=0)
    return np.clip(values, -most, most)


def _cosines(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    norms = np.sqrt((left**2).sum(0)[:, None] * (right**2).sum(0)[None])
    return np.divide(left.T @ right, norms, out=np.zeros_like(norms), where=norms > 1e-12)
