"""How much memory this process needs at most, between two moments."""

import re
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import torch

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
METHOD = (
    "resident set of the whole process at its highest (Linux: VmHWM, set back before each turn of an agent; elsewhere "
    "the highest since the process began); on a GPU what torch had allocated of its memory at most"
)


def reset_peak() -> None:
    """Forget earlier peaks, where the system lets us (Linux; ``man 5 proc`` on clear_refs)."""
    with suppress(OSError):
        RESET.write_text("5")
    if torch.cuda.is_initialized():
        torch.cuda.reset_peak_memory_stats()


def peak_process_bytes() -> int:
    """The largest resident set of this process since :func:`reset_peak`, or, where that is not known, ever."""
    with suppress(OSError):
        found = re.search(r"^VmHWM:\s+(\d+) kB$", STATUS.read_text(), re.MULTILINE)
        if found:
            return 1024 * int(found[1])
    if resource is None:
        return psutil.Process().memory_info().peak_wset  # type: ignore[attr-defined]  # on Windows, where alone it is asked
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def peak_gpu_bytes() -> int | None:
    """The most that torch had allocated on the current GPU since :func:`reset_peak`; None where none is in use."""
    return torch.cuda.max_memory_allocated() if torch.cuda.is_initialized() else None
