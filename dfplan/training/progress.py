"""What a person at a terminal sees of a training: a bar with speed, loss and remaining time, and short sentences."""

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


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
            TextColumn("left"),
            TimeRemainingColumn(),
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
