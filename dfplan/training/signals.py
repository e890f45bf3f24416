"""Signals that ask a training to stop, heard at once and obeyed at the end of a step."""

import os
import signal
import threading
from contextlib import suppress
from types import FrameType, TracebackType

# From a person (Ctrl-C), a system that shuts down, a terminal that closes, and batch systems before time is up.
HEARD = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU")


class StopSignal:
    """A context in which signals to stop are only noted; a Ctrl-C after that acts as it always did, others do nothing.

    A closing terminal and batch systems send their signal twice, or another one after it, while what they asked for is
    under way. What ``nohup`` has ignored stays so.

    Attributes:
        name: of the first that came, such as ``"SIGTERM"``, else None.
    """

    def __init__(self) -> None:
        self.name: str | None = None
        self._previous: dict[int, object] = {}

    def __enter__(self) -> "StopSignal":
        # Python delivers signals to the main thread only; elsewhere there is nothing to hear.
        if threading.current_thread() is threading.main_thread():
            for name in HEARD:
                self._hear(name)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    @property
    def exit_status(self) -> int:
        """What a program that a signal has ended ends with, by the shell's convention."""
        return 128 + signal.Signals[self.name] if self.name else 1

    def _hear(self, name: str) -> None:
        number = getattr(signal, name, None)  # Windows has two of them
        ignored = number is not None and name == "SIGHUP" and signal.getsignal(number) is signal.SIG_IGN
        if number is not None and not ignored:
            self._previous[number] = signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.name is None:
            self.name = signal.Signals(number).name
            with suppress(OSError):  # not by print, which must not be interrupted by itself
                os.write(2, f"\n{self.name}: saving after this step; Ctrl-C leaves at once, without\n".encode())
        elif number == signal.SIGINT:
            self._restore()
            signal.raise_signal(number)

    def _restore(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._previous = {}
