"""Where metrics go: a JSONL file always, another logger if asked for; neither ever stops the training."""

import functools
import importlib.util
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from dfplan.errors import UserError
from dfplan.files import read_small, write_whole

MAX_BYTES = 1 << 28  # a million lines
Logger = Callable[[int, Mapping[str, float]], None]
"""Takes the step and the metrics of it."""


class MetricsFile:
    """One JSON object a line; a number that is not finite is written as null."""

    def __init__(self, path: Path, *, first_step: int) -> None:
        """Open the log of a run that continues at ``first_step``: later lines, and a torn last one, are removed."""
        self.path = path
        kept = [line for step, line in _lines_with_step(path) if step <= first_step]
        write_whole(path, "".join(kept).encode())

    def __call__(self, step: int, metrics: Mapping[str, float]) -> None:
        """Append a line."""
        finite = {name: value if math.isfinite(value) else None for name, value in metrics.items()}
        with self.path.open("a") as file:
            file.write(json.dumps({"step": step} | finite) + "\n")


def _lines_with_step(path: Path) -> Iterator[tuple[int, str]]:
    if not path.exists():
        return
    for line in read_small(path, at_most=MAX_BYTES).decode(errors="replace").splitlines(keepends=True):
        try:
            step = json.loads(line)["step"]
        except (ValueError, KeyError, TypeError, RecursionError):
            continue  # the line that was being written when the process died
        if isinstance(step, int):
            yield step, line


class GuardedLogger:
    """Passes metrics to several loggers; one that raises is reported once and dropped."""

    def __init__(self, loggers: list[Logger], *, say: Callable[[str], None]) -> None:
        self.loggers = list(loggers)
        self.say = say

    def __call__(self, step: int, metrics: Mapping[str, float]) -> None:
        """Log to all that still work."""
        for logger in list(self.loggers):
            try:
                logger(step, metrics)
            except Exception as error:  # whatever a foreign logger raises: hours of training must not hang on it
                self.loggers.remove(logger)
                self.say(f"warning: logging to {_name(logger)} failed and is off from now on: {error!r}")


def _name(logger: Logger) -> str:
    return getattr(logger, "__name__", type(logger).__name__)


class RunningMeans:
    """Means of metrics since the last log line. Tensors are summed where they are, so that a GPU need not wait."""

    def __init__(self) -> None:
        self.totals: dict[str, float | Tensor] = {}
        self.counts: dict[str, int] = {}

    def add(self, metrics: Mapping[str, float | Tensor]) -> None:
        """Take in more values."""
        for name, given in metrics.items():
            value = given.detach() if isinstance(given, Tensor) else given
            self.totals[name] = self.totals[name] + value if name in self.totals else value
            self.counts[name] = self.counts.get(name, 0) + 1

    def means(self) -> dict[str, float]:
        """Return the means so far."""
        return {name: float(total) / self.counts[name] for name, total in self.totals.items()}

    def clear(self) -> None:
        """Begin anew."""
        self.totals, self.counts = {}, {}

    def state(self) -> dict[str, dict[str, Any]]:
        """Return as JSON what makes the next log line of a resumed run come out the same."""
        return {"totals": {name: float(total) for name, total in self.totals.items()}, "counts": dict(self.counts)}

    def load_state(self, state: Mapping[str, Mapping[str, Any]]) -> None:
        """Restore what ``state`` returned."""
        self.totals, self.counts = dict(state["totals"]), dict(state["counts"])


def require_wandb() -> None:
    """Refuse to go on without the package, before anything that takes long.

    Raises:
        UserError: wandb is not installed.
    """
    if importlib.util.find_spec("wandb") is None:
        raise UserError("logger=wandb needs the wandb package: pip install 'dfplan[wandb]', or leave logger=wandb out")


def wandb_logger(run_folder: Path, *, project: str = "dfplan", config: Mapping[str, Any] | None = None) -> Logger:
    """Return a logger to Weights & Biases; without a key it writes offline into the run folder (``wandb sync`` later).

    Raises:
        UserError: wandb is not installed.
    """
    require_wandb()

    @functools.cache
    def run() -> Any:
        # Not before the first line is logged: only one process of several logs, and a failure here is not fatal there.
        import wandb  # pyright: ignore[reportMissingImports] - an optional extra

        mode = os.environ.get("WANDB_MODE") or ("online" if wandb.login(prompt=False, verify=False) else "offline")
        return wandb.init(
            project=project,
            dir=run_folder,
            name=run_folder.name,
            config=dict(config or {}),
            mode=mode,  # type: ignore[arg-type]
        )

    def log_to_wandb(step: int, metrics: Mapping[str, float]) -> None:
        run().log(dict(metrics), step=step)

    return log_to_wandb
