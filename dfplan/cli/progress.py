"""Progress bars on stderr, so that stdout holds only what a command answers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from dfplan.errors import counted, printable


def say(line: str) -> None:
    """Tell the person at the terminal something that is no answer to the command."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(printable(line), markup=False)


@contextmanager
def progress_bar(description: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a function of (done, total) that shows a bar from its first call until the block ends."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("passed,"),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    progress = Progress(*columns, console=Console(stderr=True))
    task = progress.add_task(description, total=None)

    def show(done: int, total: int) -> None:
        progress.start()
        progress.update(task, completed=done, total=total)

    try:
        yield show
    finally:
        if progress.live.is_started:
            progress.stop()


def say_outside(number: int, *, of: str = "") -> None:
    """Say how many observations were not planned from as they were."""
    if number:
        say(f"{of}far outside of the data, and planned from as from its edge: {counted(number, 'observation')}")
