"""Ctrl-C and SIGTERM, heard at once and obeyed at the end of a step."""

import signal
import threading
from types import FrameType, TracebackType


class StopSignal:
    """A context in which the first SIGINT or SIGTERM is only noted; a second one acts as it always did.

    Attributes:
        name: ``"SIGINT"`` or ``"SIGTERM"`` once one has come, else None.
    """

    def __init__(self) -> None:
        self.name: str | None = None
        self._previous: dict[int, object] = {}

    def __enter__(self) -> "StopSignal":
        # Python delivers signals to the main thread only; elsewhere there is nothing to hear.
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.name = signal.Signals(number).name
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._previous = {}
