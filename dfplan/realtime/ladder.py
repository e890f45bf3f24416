"""What is done when there is nothing good to do: hold the last action, then the safe one. Nothing bad gets past it."""

from collections.abc import Callable

import numpy as np

_FADE = 0.5  # of a held action, per step


class Ladder:
    """Chooses the action of a step, and remembers it.

    Args:
        low: ``(action_dim,)`` the action space.
        high: ``(action_dim,)``.
        hold_steps: steps for which the last action is held, half as strong at each.
        safe_action: maps the last good observation, or None, to the action of a robot in trouble; None is always the
            action nearest to zero.
    """

    def __init__(
        self,
        *,
        low: np.ndarray,
        high: np.ndarray,
        hold_steps: int,
        safe_action: Callable[[np.ndarray | None], np.ndarray] | None,
    ) -> None:
        self._low, self._high = low, high
        self._hold_steps = hold_steps
        self._safe_action = safe_action
        self.reset()

    def reset(self) -> None:
        """Begin a new episode: nothing to hold."""
        self._last: np.ndarray | None = None
        self._held = 0

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
            return self._last, "plan"
        if self._last is not None and self._held < self._hold_steps:
            self._held += 1
            return self._clip(self._last * _FADE ** (self._held - 1)), "hold"
        self._last = None
        return self._safe(seen), "safe"

    def admits(self, action: np.ndarray) -> bool:
        """Whether an action has the right shape and is finite; one outside the action space is clipped."""
        return action.shape == self._low.shape and bool(np.isfinite(action).all())

    def _safe(self, seen: np.ndarray | None) -> np.ndarray:
        if self._safe_action is None:
            return self._clip(np.zeros_like(self._low))
        action = np.asarray(self._safe_action(seen), np.float64)
        return self._clip(action if self.admits(action) else np.zeros_like(self._low))

    def _clip(self, action: np.ndarray) -> np.ndarray:
        return np.clip(action, self._low, self._high).astype(np.float32)
