"""Runs a piece of work in a forked process: what it said, how it ended, what time and memory it took."""

import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PAGE = resource.getpagesize()


@dataclass(frozen=True)
class Outcome:
    """How a child ended.

    Attributes:
        status: exit status; minus the number of the signal that ended it.
        text: what it wrote to stdout and stderr.
        seconds: wall time.
        megabytes: by how much it grew, resident.
    """

    status: int
    text: str
    seconds: float
    megabytes: float


def in_child(
    work: Callable[[], int | None], *, memory_limit: int | None = None, user: int | None = None, timeout: float = 60.0
) -> Outcome:
    """Fork, run and wait.

    Args:
        work: returns an exit status, or None for 0; an exception is written out and is status 1.
        memory_limit: bytes of address space that it may take more than it has.
        user: user id to become first, as whom a read-only folder is one.
        timeout: seconds after which it is killed.
    """
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as grown:
        began, child = time.monotonic(), os.fork()
        if child == 0:
            _run(work, said.fileno(), grown.fileno(), memory_limit=memory_limit, user=user)
        status = _wait(child, timeout=timeout)
        seconds = time.monotonic() - began
        said.seek(0)
        grown.seek(0)
        return Outcome(status, said.read().decode(errors="replace"), seconds, float(grown.read() or "nan"))


def _run(work: Callable[[], int | None], said: int, grown: int, *, memory_limit: int | None, user: int | None) -> None:
    """The child; never returns."""
    status = 1
    try:
        os.dup2(said, 1)
        os.dup2(said, 2)
        # A test runner may have put something of its own in their place, which would keep what is said to itself.
        sys.stdout = sys.stderr = os.fdopen(1, "w", buffering=1, errors="backslashreplace")
        before = _pages(1) * PAGE
        if memory_limit is not None:
            limit = _pages(0) * PAGE + memory_limit
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        if user is not None:
            os.setgid(user)
            os.setuid(user)
        status = work() or 0
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
            largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            os.write(grown, f"{max(0, largest - before) / 2**20:.1f}".encode())
        os._exit(status)


def _pages(index: int) -> int:
    """Pages of address space (0) or of resident memory (1) of this process."""
    return int(Path("/proc/self/statm").read_text().split()[index])


def _wait(child: int, *, timeout: float) -> int:
    deadline = time.monotonic() + timeout
    while True:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return -signal.SIGKILL
        time.sleep(0.002)
