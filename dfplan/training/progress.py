"""What a person at a terminal sees of a training: a bar with speed, loss and remaining time, and short sentences."""

import sys
from contextlib import suppress
from types import TracebackType
from typing import Any, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


def open_console() -> Console:
    """Standard error, where what cannot be shown is lost and stops nothing."""
    return Console(file=_MayGoAway(sys.stderr))  # type: ignore[arg-type]


class _MayGoAway:
    """A terminal that may be closed, or a pipe whose reader may end, while a training writes to it."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def write(self, text: str) -> int:
        """Write what can be written."""
        with suppress(OSError, ValueError):  # ValueError: closed by this process itself
            self._file.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush what can be flushed."""
        with suppress(OSError, ValueError):
            self._file.flush()


class ProgressBar:
    """A context that shows the steps on standard error; where that is no terminal, a plain line per log line."""

    def __init__(self, console: Console, *, num_steps: int, first_step: int, enabled: bool) -> None:
        self.console = console
        self.num_steps = num_steps
        self.plain = enabled and not console.is_terminal
        self.bar = Progress(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[numbers]}"),
            TimeElapsedColumn(),
            TextColumn("passed,"),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=console,
            refresh_per_second=2,
            disable=not enabled or self.plain,
        )
        self.task = self.bar.add_task("training", total=num_steps, completed=first_step, numbers="")

    def __enter__(self) -> "ProgressBar":
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.stop()

    def advance(self, step: int) -> None:
        """Show that ``step`` steps are done."""
        self.bar.update(self.task, completed=step)

    def show(self, step: int, *, loss: float, steps_per_second: float) -> None:
        """Show the latest numbers."""
        numbers = f"loss {loss:.4f}  {steps_per_second:.2f} steps/s"
        self.bar.update(self.task, numbers=numbers)
        if self.plain:
            left = (self.num_steps - step) / steps_per_second
            line = f"step {step}/{self.num_steps}  {numbers}  {left / 60:.1f} min left"
            self.console.print(line, markup=False, highlight=False, soft_wrap=True)
