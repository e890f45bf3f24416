"""What a control loop asks of its machine: to go first, and not to be held up by Python's housekeeping."""

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def undisturbed(*, priority: int = 1) -> Iterator[bool]:
    """Let this thread go before all ordinary ones, and the garbage collector skip all objects that are there already.

    On a busy core an ordinary thread that wakes up waits until others have used up their time, 20 ms and more; one of
    Linux's class SCHED_FIFO does not wait. A full collection looks at every object, with torch loaded for a tenth of a
    second; objects that are frozen are not looked at. Processes and threads started meanwhile are ordinary ones.

    Enter it before the first tick: freezing takes as long as one full collection.

    Args:
        priority: within SCHED_FIFO, 1 to 99; 1 goes before ordinary threads and after everybody else's real-time ones.

    Yields:
        Whether the system grants the priority: on Linux, to root, with CAP_SYS_NICE or with an ``rtprio`` limit. If it
        does not, all else holds.
    """
    gc.collect()
    gc.freeze()
    before = _go_first(priority)
    try:
        yield before is not None
    finally:
        if before is not None and sys.platform == "linux":
            os.sched_setscheduler(0, *before)
        gc.unfreeze()


def _go_first(priority: int) -> "tuple[int, os.sched_param] | None":
    """Take the priority; returns what was before, or None where it is not granted."""
    if sys.platform != "linux":
        return None
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(priority))
    except OSError:
        return None
    return before
