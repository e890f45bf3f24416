"""How fast a thing moves that is seen and whose actions are known: an alpha-beta filter around a point mass."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from dfplan.measured import positive
from dfplan.types import DoubleIntegrator, Trajectories

PIECE = 1024  # rows of a long trajectory that are followed at a time
FORGOTTEN = 1e-9  # share of a wrong beginning that is left of it when it does not count any more


@dataclass(frozen=True)
class MotionFilter:
    """Tells position and speed from where something is seen and how it was pushed; in units of length and seconds.

    The point mass says where it should be now; a share of the surprise moves the position, another the speed. One frame
    has no speed in it, and the difference of two is a noisy and late one; what the actions say of the speed is neither,
    but knows nothing of walls: of what is held while it is pushed by ``a`` it says, with ``k = 1 - beta / alpha``, the
    speed ``k * gain * a / (1 - k * decay)``, 0.94 units/s at full force in the mazes (alpha-beta filter, the Kalman
    filter's steady state: Kalata, IEEE Transactions on Aerospace and Electronic Systems 20(2), 1984).

    Attributes:
        dynamics: how actions move it; ``step`` is the time from frame to frame.
        position_gain: share of the surprise by which the position is corrected (alpha), above 0 and up to 1.
        speed_gain: share of the surprise per step by which the speed is (beta), above 0 and up to 1.
    """

    dynamics: DoubleIntegrator
    position_gain: float
    speed_gain: float

    def describe(self) -> dict[str, Any]:
        """What a bundle says of it, for :func:`read_motion`."""
        gains = {"position_gain": self.position_gain, "speed_gain": self.speed_gain}
        return {"point_mass": vars(self.dynamics), **gains}

    @property
    def memory(self) -> int:
        """Steps after which it has forgotten where it began: its slowest error has shrunk to ``FORGOTTEN``."""
        mass, alpha, beta = self.dynamics, self.position_gain, self.speed_gain
        # What one step makes of an error of position, in steps, and of one of speed.
        errors = [[1 - alpha, (1 - alpha) * mass.decay], [-beta, (1 - beta) * mass.decay]]
        slowest = float(np.abs(np.linalg.eigvals(errors)).max())
        return 2 + math.ceil(math.log(FORGOTTEN) / math.log(min(max(slowest, FORGOTTEN), 1 - 1e-6)))

    def begin(self, positions: np.ndarray) -> np.ndarray:
        """Observations ``(batch, 2 * dim)`` of what stands still, from where it is seen: ``(batch, dim)``."""
        return np.concatenate([positions, np.zeros_like(positions)], axis=1)

    def follow(self, observations: np.ndarray, *, actions: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Observations ``(batch, 2 * dim)`` one step later.

        Args:
            observations: what it said a step ago.
            actions: ``(batch, dim)`` in [-1, 1], carried out since.
            positions: ``(batch, dim)``, where it is seen now.
        """
        mass, dim = self.dynamics, positions.shape[1]
        speeds = mass.decay * observations[:, dim:] + mass.gain * actions
        speeds = np.clip(speeds, -mass.max_speed, mass.max_speed)
        expected = observations[:, :dim] + mass.step * speeds
        surprise = positions - expected
        corrected = [expected + self.position_gain * surprise, speeds + self.speed_gain * surprise / mass.step]
        return np.concatenate(corrected, axis=1)


def follow_trajectories(trajectories: Trajectories, positions: np.ndarray, *, motion: MotionFilter) -> Trajectories:
    """Trajectories whose observations are what ``motion`` says of positions ``(rows, dim)``; each begins at rest.

    Long ones are followed in pieces side by side, each from so far before its beginning as the filter remembers.
    """
    lengths = np.diff(trajectories.starts)
    first, last = np.repeat(trajectories.starts[:-1], lengths), np.repeat(trajectories.starts[1:], lengths) - 1
    begins = np.flatnonzero((np.arange(len(positions)) - first) % PIECE == 0)
    row, last = np.maximum(begins - motion.memory, first[begins]), np.minimum(begins + PIECE - 1, last[begins])
    told = motion.begin(positions[row].astype(np.float64))
    observations = np.zeros((len(positions), told.shape[1]), np.float32)
    while len(row):
        counts = row >= begins  # before, a piece only finds into its motion
        observations[row[counts]] = told[counts]
        going = row < last
        row, last, begins, told = row[going], last[going], begins[going], told[going]
        told = motion.follow(told, actions=trajectories.actions[row], positions=positions[row + 1])
        row = row + 1
    return replace(trajectories, observations=observations, source=f"{trajectories.source}, seen")


def read_motion(description: Mapping[str, Any]) -> MotionFilter:
    """A filter from its description (``dataclasses.asdict``).

    Raises:
        KeyError, TypeError, ValueError: it makes no sense.
    """
    mass = description["point_mass"]
    gains = {name: positive(name, description[name]) for name in ("position_gain", "speed_gain")}
    if max(gains.values()) > 1:
        raise ValueError(f"gains must be at most 1; got {gains}")
    return MotionFilter(
        DoubleIntegrator(**{each.name: positive(each.name, mass[each.name]) for each in fields(DoubleIntegrator)}),
        **gains,
    )
