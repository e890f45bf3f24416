"""How fast a control loop really runs, and how many steps lie between two calls."""

from collections import deque

import numpy as np

from dfplan.errors import UserError

# A call this share of a period before the end of the next step counts as that step: the loop skips to whole ticks.
_EARLY = 0.1
_PULL = 0.1  # of the clock of the steps towards the clock of the calls, per call


class RateMeter:
    """Counts control steps by the clock: a call that comes two periods after the last one is two steps later.

    Args:
        period: seconds of a control step as planned; None counts every call as one step, however long it took (a
            simulation that waits for the agent).
        memory: calls that the measured period is taken over.
    """

    def __init__(self, period: float | None, *, memory: int = 32) -> None:
        if period is not None and not (0 < period < np.inf):
            raise UserError(f"period must be a number of seconds above 0, or None; got {period}")
        self._nominal = period
        self._gaps: deque[float] = deque(maxlen=memory)
        self._last: float | None = None
        self._phase = 0.0

    @property
    def period(self) -> float:
        """Seconds of a step, measured; as planned while nothing is measured."""
        if self._gaps:
            return max(float(np.mean(self._gaps)), 1e-6)
        return self._nominal or 1.0

    def tick(self, now: float) -> int:
        """Take the time of a call; returns the steps since the last one, at least 1."""
        last, self._last = self._last, now
        if last is None:
            self._phase = now
            return 1
        steps = 1
        if self._nominal is not None:
            period = self.period
            steps = max(1, int((now - self._phase) / period + _EARLY))
            self._phase += steps * period
            self._phase += _PULL * (now - self._phase)
        self._gaps.append((now - last) / steps)
        return steps

    def reset(self) -> None:
        """Begin anew after a pause; what was measured stays."""
        self._last = None
