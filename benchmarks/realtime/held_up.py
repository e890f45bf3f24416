"""Which late ticks were the machine's doing: those in which one of its cores ran nothing, not even what goes first.

A machine that is one of many on its host is held up in short moments rather than in a long one: while a tick that
computes for 2 ms took 48, no single one was of more than 10. So all those of a core and a tick are added up.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dfplan.realtime.episode import ActInfo

LATE = {"late_action", "missed_steps"}
HELD_UP = 0.010  # s of a tick; half of what any of them has to spare
Moments = list[tuple[float, float]]  # from when until when, of the monotonic clock


class HeldUp:
    """Notes late ticks, and which of them lie in moments at which the machine stood still.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._before, self._late = clock, clock(), []
        self.stood_still: list[Moments] = []  # of each core

    def on_tick(self, info: ActInfo) -> None:
        """Look at a tick, once its action is sent."""
        now = self._clock()
        if faults := sorted(LATE & set(info.faults)):
            self._late.append((self._before, now, {"step": info.step, "faults": faults}))
        self._before = now

    @property
    def late(self) -> list[dict[str, Any]]:
        """Every late tick: its step, its faults, and for how long a core stood still meanwhile, s, all in all."""
        return [tick | {"machine_stood_still": self._stood_still(since, now)} for since, now, tick in self._late]

    @property
    def late_while_held_up(self) -> int:
        """How many of the late ticks a core stood still in for as long as would make any tick late."""
        return sum(tick["machine_stood_still"] >= HELD_UP for tick in self.late)

    def _stood_still(self, since: float, now: float) -> float:
        """For how long, s, that core stood still that stood still the longest."""
        return max(
            (sum(max(0.0, min(until, now) - max(begun, since)) for begun, until in core) for core in self.stood_still),
            default=0.0,
        )


@contextmanager
def witnessed() -> Iterator[HeldUp]:
    """Watch every core with a process of its own (``witness.py``) which goes before the loop and has nothing to do."""
    held_up, program = HeldUp(), str(Path(__file__).with_name("witness.py"))
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    witnesses = [
        subprocess.Popen([sys.executable, program, str(core)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for core in cores
    ]
    try:
        yield held_up
    finally:
        for witness in witnesses:
            answer, _ = witness.communicate(timeout=10)
            held_up.stood_still.append([tuple(moment) for moment in json.loads(answer or "[]")])
