"""Which late ticks were the machine's doing: those in which one of its cores ran nothing, not even what goes first."""

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
Moments = list[tuple[float, float]]  # from when until when, of the monotonic clock


class HeldUp:
    """Notes late ticks, and which of them lie in moments at which the machine stood still.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._before, self._late = clock, clock(), []
        self.stood_still: Moments = []

    def on_tick(self, info: ActInfo) -> None:
        """Look at a tick, once its action is sent."""
        now = self._clock()
        if faults := sorted(LATE & set(info.faults)):
            self._late.append((self._before, now, {"step": info.step, "faults": faults}))
        self._before = now

    @property
    def late(self) -> list[dict[str, Any]]:
        """Every late tick: its step, its faults, and for how long the machine stood still meanwhile, s."""
        return [
            tick | {"machine_stood_still": max((_shared(moment, since, now) for moment in self.stood_still), default=0)}
            for since, now, tick in self._late
        ]


def _shared(moment: tuple[float, float], since: float, now: float) -> float:
    return max(0.0, min(moment[1], now) - max(moment[0], since))


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
            held_up.stood_still += [tuple(moment) for moment in json.loads(answer or "[]")]
