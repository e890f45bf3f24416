"""Sleeps for 2 ms, over and over, on one core and before everybody else; says at the end when it was not woken in time.

A core that is taken away for 4 ms of every 5 is as good as one that is taken away for 40: short moments count, too.

python benchmarks/realtime/witness.py CORE        (until its standard input is closed; prints [[from, until], ...])
"""

import json
import os
import select
import sys
import time

from dfplan.realtime.priority import undisturbed

SLEEP = 0.002
LATE = 0.0005  # s; more than a core takes to wake what goes first
BEFORE_THE_LOOP = 2  # within SCHED_FIFO, where the loop has 1


def watch(core: int) -> list[tuple[float, float]]:
    """Times of the monotonic clock between which this core ran nothing, not even what goes first."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})
    stood_still = []
    with undisturbed(priority=BEFORE_THE_LOOP):
        before, is_over = time.monotonic(), False
        while not is_over:
            is_over = bool(select.select([sys.stdin], [], [], SLEEP)[0])
            now = time.monotonic()
            if now - before > SLEEP + LATE:
                stood_still.append((before + SLEEP, now))
            before = now
    return stood_still


if __name__ == "__main__":
    print(json.dumps(watch(int(sys.argv[1]))))
