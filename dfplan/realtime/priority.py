"""What a control loop asks of its machine: to go first, to keep its memory, and no housekeeping by Python meanwhile."""

import ctypes
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Of Linux's mlockall(2): what is mapped, what will be, each page once it is touched.
_LOCK_WHAT_IS_TOUCHED = 1 | 2 | 4


@contextmanager
def undisturbed(*, priority: int = 1) -> Iterator[bool]:
    """Let this thread go before all ordinary ones, and the garbage collector skip all objects that are there already.

    On a busy core an ordinary thread that wakes up waits until others have used up their time, 20 ms and more; one of
    Linux's class SCHED_FIFO does not wait. A full collection looks at every object, with torch loaded for a tenth of a
    second; objects that are frozen are not looked at. Memory that was in use stays (mlockall(2)): what the system takes
    back, as code that was not run for a while, it reads from the disk again, in the midst of a tick. Processes and
    threads started meanwhile are ordinary ones.

    Enter it before the first tick: freezing takes as long as one full collection.

    Args:
        priority: within SCHED_FIFO, 1 to 99; 1 goes before ordinary threads and after everybody else's real-time ones.

    Yields:
        Whether the system grants the priority: on Linux, to root, with CAP_SYS_NICE or with an ``rtprio`` limit. If it
        does not, all else holds. Memory likewise: root, CAP_IPC_LOCK or a ``memlock`` limit.
    """
    gc.collect()
    gc.freeze()
    before, is_kept = _go_first(priority), _keep_memory()
    try:
        yield before is not None
    finally:
        if before is not None and sys.platform == "linux":
            os.sched_setscheduler(0, *before)
        if is_kept:
            ctypes.CDLL(None).munlockall()
        gc.unfreeze()


def _keep_memory() -> bool:
    """Ask that no page be taken back; whether that is granted, and was not so before: who asked gives it back."""
    if sys.platform != "linux" or "VmLck:\t       0 kB" not in Path("/proc/self/status").read_text():
        return False
    return ctypes.CDLL(None).mlockall(_LOCK_WHAT_IS_TOUCHED) == 0


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
