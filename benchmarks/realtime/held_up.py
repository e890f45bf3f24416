"""Which late ticks were the machine's doing: those in which something else ran on one of its processors."""

from collections.abc import Callable
from pathlib import Path

from dfplan.realtime.episode import ActInfo


def stolen_time() -> int:
    """Hundredths of a second that a hypervisor kept the processors from running what was ready, since they started.

    The kernel's own account, in the eighth column of ``/proc/stat``; 0 where there is no such file.
    """
    stat = Path("/proc/stat")
    return int(stat.read_text().splitlines()[0].split()[8]) if stat.is_file() else 0


class HeldUp:
    """Counts ticks of which the action was late while the processors were kept from running.

    Args:
        stolen: tells how much time was stolen until now.

    Attributes:
        ticks: how many there were.
    """

    def __init__(self, stolen: Callable[[], int] = stolen_time) -> None:
        self._stolen, self._before, self.ticks = stolen, stolen(), 0

    def on_tick(self, info: ActInfo) -> None:
        """Look at a tick, once its action is sent."""
        now = self._stolen()
        self.ticks += "late_action" in info.faults and now > self._before
        self._before = now
