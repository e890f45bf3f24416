"""How fast a control loop really runs, and how many steps lie between two calls."""

import math
from collections import deque

from dfplan.errors import UserError

# A call this share of a period before the end of the next step counts as that step: the loop skips to whole ticks.
_EARLY = 0.1
_PULL = 0.1  # of the clock of the steps towards the clock of the calls, per call
_MOST_STEPS = 10_000  # between two calls: no plan is longer, and whoever counts on does so in vain
_CORRECTED_AFTER = 2.0  # seconds within which good ticks outnumber bad ones, whatever the rate


class RateMeter:
    """Counts control steps by the clock: a call that comes two periods after the last one is two steps later.

    The period is the median of the last measurements, each over half a planned period or more. So a burst of calls
    after a stall is one measurement, however many calls it has, and none is divided by what was measured before it: a
    wrong period cannot confirm itself.

    Args:
        period: seconds of a control step as planned; None counts every call as one step, however long it took (a
            simulation that waits for the agent).
        memory: measurements that the period is taken over, fewer where the loop is slow; without a planned period,
            calls whose mean it is.
    """

    def __init__(self, period: float | None, *, memory: int = 32) -> None:
        if period is not None and not (0 < period < math.inf):
            raise UserError(f"period must be a number of seconds above 0, or None; got {period}")
        self._nominal = period
        if period is not None:
            memory = min(memory, max(3, int(_CORRECTED_AFTER / period)))
        # A planned period is believed until most of the measurements say otherwise.
        self._measured = deque([] if period is None else [period] * memory, maxlen=memory)
        self._last: float | None = None
        self._phase = 0.0
        self._seconds, self._calls = 0.0, 0  # since the last measurement

    @property
    def period(self) -> float:
        """Seconds of a step, measured; as planned while nothing is measured."""
        if not self._measured:
            return 1.0
        if self._nominal is None:
            return max(sum(self._measured) / len(self._measured), 1e-6)
        ordered, count = sorted(self._measured), len(self._measured)
        return (ordered[(count - 1) // 2] + ordered[count // 2]) / 2

    def tick(self, now: float) -> int:
        """Take the time of a call; returns the steps since the last one, at least 1.

        A clock that goes back or is not finite begins anew: the call is one step.
        """
        now = float(now)  # of Python, which overflows without a warning
        last, self._last = self._last, now if math.isfinite(now) else None
        if last is None or self._last is None or now < last:
            self._phase = now
            self._seconds, self._calls = 0.0, 0
            return 1
        if self._nominal is None:
            self._measured.append(now - last)
            return 1
        period = self.period
        steps = _whole_steps(now - self._phase, period)
        self._phase = now if steps == _MOST_STEPS else self._phase + steps * period
        self._phase += _PULL * (now - self._phase)
        self._measure(now - last, self._nominal)
        return steps

    def _measure(self, seconds: float, nominal: float) -> None:
        """Take the time between two calls."""
        self._seconds += seconds
        self._calls += 1
        if 2 * self._seconds < nominal:
            return
        steps = max(self._calls, _whole_steps(self._seconds, nominal))
        if steps < _MOST_STEPS:
            self._measured.append(self._seconds / steps)
        self._seconds, self._calls = 0.0, 0

    def reset(self) -> None:
        """Begin anew after a pause; what was measured stays."""
        self._last = None


def _whole_steps(seconds: float, period: float) -> int:
    return max(1, int(min(seconds / period + _EARLY, _MOST_STEPS)))
