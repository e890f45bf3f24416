"""One report of the many runs of a sweep, the same bytes whatever ran them: it holds nothing that a clock says."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from rich.table import Table

from dfplan.errors import counted
from dfplan.evaluation.metrics import mean_interval
from dfplan.evaluation.report import RECORD_SEAL

# What no two runs have the same of, and what is measured by the clock; the seal is of these as well.
CIRCUMSTANCES = ("date", "machine", "wall_seconds", "plan_seconds", RECORD_SEAL)
SHOWN_METRICS = 3  # in a table; the file has all


@dataclass(frozen=True)
class SweptRun:
    """One run of a sweep.

    Attributes:
        number: its place in the sweep, from 0.
        options: those in which the runs differ, by name.
        output: where it wrote, within the folder of the sweep if it did so there; None is the command's usual place.
        status: its exit status.
        attempts: how often it was run until it succeeded or was given up.
        metrics: estimates by name, each ``{"mean", "low", "high"}``; none where it failed or measures none.
    """

    number: int
    options: Mapping[str, str]
    output: str | None
    status: int
    attempts: int
    metrics: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Which it is, in words."""
        return " ".join(f"{name}={value}" for name, value in self.options.items()) or f"run {self.number}"


def comparable(record: Mapping[str, Any]) -> bytes:
    """The record of an evaluation less its circumstances: the same bytes wherever and by whatever it was run."""
    kept = {name: value for name, value in record.items() if name not in CIRCUMSTANCES}
    kept["metrics"] = {name: each for name, each in record["metrics"].items() if name not in CIRCUMSTANCES}
    return json.dumps(kept, indent=1).encode()


def estimates_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """The metrics of a record that are estimates of something other than time."""
    metrics = record.get("metrics", {})
    return {name: each for name, each in metrics.items() if name not in CIRCUMSTANCES and "mean" in each}


def merge(command: str, runs: Sequence[SweptRun], *, common: Sequence[str]) -> dict[str, Any]:
    """Put the runs of a sweep into one JSON-ready record.

    Args:
        command: what was run.
        runs: all of them, in order.
        common: the options that all have alike, as they were said.

    Returns:
        A dict of plain JSON types. ``summary`` has of every metric the mean over runs with its 95 % bootstrap interval
        (each run counts once), the lowest and the highest; ``best`` is the run with the highest first metric, which
        is a return. ``failed`` are the numbers of the runs that count in neither.
    """
    names = list(dict.fromkeys(name for run in runs for name in run.metrics))
    summary = {name: _summarised(name, runs) for name in names}
    return {
        "command": command,
        "common": list(common),
        "runs": [asdict(run) for run in runs],
        "failed": [run.number for run in runs if not succeeded(run.status)],
        "summary": summary,
        "best": summary[names[0]]["highest"]["run"] if names else None,
    }


def succeeded(status: int) -> bool:
    """Whether an exit status is of a run that did its work; 3 says that what it found breaks constraints."""
    return status in (0, 3)


def _summarised(name: str, runs: Sequence[SweptRun]) -> dict[str, Any]:
    found = [(run.metrics[name]["mean"], run.number) for run in runs if name in run.metrics]
    values = [(mean, number) for mean, number in found if mean is not None]
    extremes = {"lowest": min(values, default=None), "highest": max(values, key=lambda each: each[0], default=None)}
    return {
        **asdict(mean_interval(np.array([mean for mean, _ in values]))),
        "runs": len(values),
        **{kind: {"value": each and each[0], "run": each and each[1]} for kind, each in extremes.items()},
    }


def render_merged(record: Mapping[str, Any]) -> Table:
    """Lay a merged record out as a table: a row a run, and below them the means over runs; the best run is marked."""
    shown = list(record["summary"])[:SHOWN_METRICS]
    differing = list(dict.fromkeys(name for run in record["runs"] for name in run["options"]))
    table = Table(title=f"dfplan {record['command']}, {counted(len(record['runs']), 'run')}")
    for name in ("run", *differing, *shown, "exit status"):
        table.add_column(name, justify="right")
    for run in record["runs"]:
        means = [_number(run["metrics"].get(name, {}).get("mean")) for name in shown]
        tries = f" ({run['attempts']} attempts)" if run["attempts"] > 1 else ""
        mark = " best" if run["number"] == record["best"] else ""
        options = [run["options"].get(name, "") for name in differing]
        table.add_row(f"{run['number']}{mark}", *options, *means, f"{run['status']}{tries}")
    if shown:
        table.add_section()
        means = [_number(record["summary"][name]["mean"]) for name in shown]
        table.add_row("mean", *("" for _ in differing), *means, "")
    return table


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"
