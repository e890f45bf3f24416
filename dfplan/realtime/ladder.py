"""What is done when there is nothing good to do: hold, then the safe action, and after too many faults that alone."""

from collections.abc import Callable, Mapping

import numpy as np

from dfplan.errors import UserError

_FADE = 0.5  # of a held action, per step


class Ladder:
    """Chooses the action of a step, and remembers it.

    Args:
        low: ``(action_dim,)`` the action space.
        high: ``(action_dim,)``.
        hold_steps: steps for which the last action is held, half as strong at each.
        safe_action: maps the last good observation, or None, to the action of a robot in trouble; None is always the
            action nearest to zero, which also takes the place of one that is none.

    Attributes:
        safe_action_failed: whether the last safe action was none.
    """

    def __init__(
        self,
        *,
        low: np.ndarray,
        high: np.ndarray,
        hold_steps: int,
        safe_action: Callable[[np.ndarray | None], np.ndarray] | None,
    ) -> None:
        # Rounded inwards, so that an action is inside the space in single precision as well.
        self._low, self._high = -_rounded_down(-low), _rounded_down(high)
        self._hold_steps = hold_steps
        self._safe_action = safe_action
        self.reset()

    def reset(self) -> None:
        """Begin a new episode: nothing to hold."""
        self._last: np.ndarray | None = None
        self._held = 0
        self.safe_action_failed = False

    def choose(self, followed: np.ndarray | None, *, stopped: bool, seen: np.ndarray | None) -> tuple[np.ndarray, str]:
        """The action of this step and its rung: ``plan``, ``hold``, ``safe`` or ``stopped``.

        Args:
            followed: an action that :meth:`admits`, or None if there is nothing to follow.
            stopped: do nothing but the safe action.
            seen: the last good observation.
        """
        if stopped:
            self._last = None
            return self._safe(seen), "stopped"
        if followed is not None:
            self._last, self._held = self._clip(followed), 0
            return self._last.copy(), "plan"
        if self._last is not None and self._held < self._hold_steps:
            self._held += 1
            return self._clip(self._last * _FADE ** (self._held - 1)), "hold"
        self._last = None
        return self._safe(seen), "safe"

    def admits(self, action: np.ndarray) -> bool:
        """Whether an action has the right shape and is finite; one outside the action space is clipped."""
        if action.shape != self._low.shape:
            return False
        return bool(np.isfinite(action).all() and np.isfinite(self._clip(action)).all())

    def _safe(self, seen: np.ndarray | None) -> np.ndarray:
        nothing = self._clip(np.zeros_like(self._low))
        self.safe_action_failed = False
        if self._safe_action is None:
            return nothing
        try:
            action = np.asarray(self._safe_action(None if seen is None else seen.copy()), np.float64)
        except Exception:  # a robot in trouble is not helped by one more
            action = nothing * np.nan
        self.safe_action_failed = not self.admits(action)
        return nothing if self.safe_action_failed else self._clip(action)

    def _clip(self, action: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            return np.clip(np.asarray(action).astype(np.float32), self._low, self._high)


def _rounded_down(values: np.ndarray) -> np.ndarray:
    """In single precision, nowhere above the given ones in double precision."""
    single = values.astype(np.float32)
    return np.where(single > values, np.nextafter(single, np.float32(-np.inf)), single)


class FaultLatch:
    """Latches when one kind of fault has happened too often without a success in between.

    Args:
        limits: per kind, how many faults in a row latch.
    """

    def __init__(self, limits: Mapping[str, int]) -> None:
        if not all(limit >= 1 for limit in limits.values()):
            raise UserError(f"a latch needs limits of at least 1; got {dict(limits)}")
        self._limits = dict(limits)
        self._in_a_row = dict.fromkeys(limits, 0)
        self.cause: str | None = None

    @property
    def is_latched(self) -> bool:
        """Whether it has latched; ``cause`` then names the kind."""
        return self.cause is not None

    def record(self, kind: str, *, good: bool) -> None:
        """Take a success or a fault of one kind."""
        self._in_a_row[kind] = 0 if good else self._in_a_row[kind] + 1
        if self._in_a_row[kind] >= self._limits[kind] and self.cause is None:
            self.cause = kind

    def release(self) -> None:
        """Let go and count anew."""
        self.cause = None
        self._in_a_row = dict.fromkeys(self._limits, 0)
