"""Counts faults in a row and latches when there are too many: from then on only a person can let the agent go on."""

from collections.abc import Mapping

from dfplan.errors import UserError


class FaultLatch:
    """Latches when one kind of fault has happened too often without a success in between.

    Args:
        limits: per kind, how many faults in a row latch.
    """

    def __init__(self, limits: Mapping[str, int]) -> None:
        if not all(limit >= 1 for limit in limits.values()):
            raise UserError(f"a latch needs limits of at least 1; got {dict(limits)}")
        self._limits = dict(limits)
        self._in_a_row = dict.fromkeys(limits, 0)
        self.cause: str | None = None

    @property
    def is_latched(self) -> bool:
        """Whether it has latched; ``cause`` then names the kind."""
        return self.cause is not None

    def record(self, kind: str, *, good: bool) -> None:
        """Take a success or a fault of one kind."""
        self._in_a_row[kind] = 0 if good else self._in_a_row[kind] + 1
        if self._in_a_row[kind] >= self._limits[kind] and self.cause is None:
            self.cause = kind

    def release(self) -> None:
        """Let go and count anew."""
        self.cause = None
        self._in_a_row = dict.fromkeys(self._limits, 0)
