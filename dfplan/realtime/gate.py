"""The gate that every observation passes before anything believes it: a bad one never reaches the model."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from dfplan.arrays import as_number, as_numbers
from dfplan.errors import UserError
from dfplan.realtime.motion import Motion, NoiseEstimate

FAULTS = ("missing", "type", "shape", "not_finite", "range", "stamp", "future", "out_of_order", "stale", "rate")


@dataclass(frozen=True)
class Verdict:
    """What the gate says of one observation.

    Attributes:
        observation: ``(observation_dim,)`` float64, a copy; None if it must not be used.
        fault: why not, one of ``FAULTS``; None if it may be used.
        noise: ``(observation_dim,)`` standard deviation that the observation is believed to within; zeros where nothing
            speaks against it.
    """

    observation: np.ndarray | None
    fault: str | None
    noise: np.ndarray


class ObservationGate:
    """Checks type, shape, finiteness, range, age, order and rate of change, and estimates the noise of what passes.

    One NaN in an observation poisons a whole plan, also the part before it, whatever the attention mask; and clipping
    lets NaN through. So nothing is mended here: an observation is used or it is not.

    Args:
        low: ``(observation_dim,)`` smallest possible values, finite.
        high: ``(observation_dim,)`` largest possible values, finite.
        max_age: seconds after which an observation is stale.
        max_rate: ``(observation_dim,)`` fastest possible change per second, ``inf`` where it may jump (a velocity,
            in a collision); None checks no rate. The longer nothing was let pass, the farther the next one may be off.
        drift: ``(observation_dim,)`` how fast an ageing observation becomes wrong, per second, finite; added to its
            noise.
        motion: what an action does, from which the sensor's noise is estimated; None takes only age into account.

    Raises:
        UserError: limits that are no limits.
    """

    def __init__(
        self,
        *,
        low: np.ndarray,
        high: np.ndarray,
        max_age: float,
        max_rate: np.ndarray | None = None,
        drift: np.ndarray | None = None,
        motion: Motion | None = None,
    ) -> None:
        self.low, self.high = np.asarray(low, np.float64), np.asarray(high, np.float64)
        shape = self.low.shape
        if self.high.shape != shape or len(shape) != 1 or not (np.isfinite(self.high - self.low).all()):
            raise UserError(
                f"low and high must be finite and of one shape (observation_dim,); got {self.low} and {self.high}"
            )
        if not (self.low < self.high).all() or not max_age > 0:
            raise UserError(f"low must lie below high and max_age above 0; got {self.low}, {self.high} and {max_age}")
        self.max_age = max_age
        self.max_rate = np.full(shape, np.inf) if max_rate is None else np.asarray(max_rate, np.float64)
        self.drift = np.zeros(shape) if drift is None else np.asarray(drift, np.float64)
        if self.max_rate.shape != shape or self.drift.shape != shape:
            raise UserError(f"max_rate and drift must have shape {shape}, like low and high")
        if not ((self.max_rate > 0).all() and (self.drift >= 0).all() and np.isfinite(self.drift).all()):
            raise UserError(
                f"max_rate must be above 0 and drift finite and 0 or more; got {self.max_rate} and {self.drift}"
            )
        self._estimate = None if motion is None else NoiseEstimate(motion, observation_dim=shape[0])
        self._last: tuple[np.ndarray, float] | None = None
        self._checked_at = -np.inf
        self._sensor_noise = np.zeros(shape)

    def reset(self) -> None:
        """Begin a new episode: the next observation may be anywhere."""
        self._last = None
        if self._estimate is not None:
            self._estimate.reset()

    def check(self, observation: Any, *, stamp: Any, now: float) -> Verdict:
        """Check one observation.

        Args:
            observation: anything; only a finite array of the right shape has a chance.
            stamp: when it was measured, on the clock of ``now``; anything, but only a finite number has a chance.
            now: the present.
        """
        array, fault = self._as_array(observation)
        stamp = as_number(stamp)
        if now < self._checked_at - self.max_age:  # the clock was set back: what came before tells no order any more
            self._last = None
        self._checked_at = now if np.isfinite(now) else self._checked_at
        fault = fault or self._fault_in_time(stamp, now) or self._fault_in_rate(array, stamp)
        if fault is not None:
            return Verdict(None, fault, np.zeros_like(self.low))
        is_new = self._last is None or stamp > self._last[1]
        noise = self.drift * max(now - stamp, 0.0)
        if self._estimate is not None and is_new:
            self._sensor_noise = self._estimate.update(array)
        if self._estimate is not None:
            noise = np.hypot(noise, self._sensor_noise)
        self._last = (array, stamp)
        return Verdict(array.copy(), None, noise)

    def expect(self, verdict: Verdict, action: np.ndarray) -> None:
        """Say which action follows an observation, so that the next one can be compared with what it should do."""
        if self._estimate is not None:
            self._estimate.expect(verdict.observation, action)

    def _as_array(self, observation: Any) -> tuple[np.ndarray, str | None]:
        """The observation as float64, and what is wrong with its values."""
        nothing = np.zeros(0)
        if observation is None:
            return nothing, "missing"
        array = as_numbers(observation)
        if array is None:
            return nothing, "type"
        if array.shape != self.low.shape:
            return nothing, "shape"
        with np.errstate(all="ignore"):  # what is too large for double precision becomes infinite
            array = array.astype(np.float64)
        if not np.isfinite(array).all():
            return nothing, "not_finite"
        return array, None if ((array >= self.low) & (array <= self.high)).all() else "range"

    def _fault_in_time(self, stamp: float, now: float) -> str | None:
        if not np.isfinite(now - stamp):
            return "stamp"
        if stamp - now > self.max_age:
            return "future"
        if now - stamp > self.max_age:
            return "stale"
        return "out_of_order" if self._last is not None and stamp < self._last[1] else None

    def _fault_in_rate(self, array: np.ndarray, stamp: float) -> str | None:
        if self._last is None:
            return None
        changed, seconds = np.abs(array - self._last[0]), stamp - self._last[1]
        with np.errstate(invalid="ignore"):  # no time has passed at an unlimited rate: 0 * inf
            allowed = np.where(np.isinf(self.max_rate), np.inf, self.max_rate * seconds)
        return "rate" if (changed > allowed).any() else None


def checked_goal(goal: Any, *, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """A goal ``(goal_dim,)`` in double precision that lies where the robot can be, between ``low`` and ``high``.

    One that does not would be a failure of the planner at every step, and in the end a stop.

    Raises:
        UserError: it does not, or is no row of finite numbers.
    """
    row = as_numbers(goal)
    if row is None or row.ndim != 1 or not np.isfinite(row).all():
        raise UserError(f"a goal must be one row of finite numbers; got {str(goal)[:60]}")
    if row.shape != low.shape or not ((row >= low) & (row <= high)).all():
        raise UserError(
            f"a goal must lie between {low.tolist()} and {high.tolist()}, where the robot can be; "
            f"got {str(row.tolist())[:60]}"
        )
    return row.astype(np.float64)
