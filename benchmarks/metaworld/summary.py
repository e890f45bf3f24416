"""Writes summary.json, and the table of README.md, from the result files: of each task the newest.

``--check`` answers 1 where summary.json is not what the files say. What has no result file yet is left out, and said.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.append(str(Path(__file__).parents[1]))
from frame import Benchmark
from records import Record, between_marks, load, row, source
from run import MULTIMODAL, NAMES, TEN

from dfplan.domains.metaworld.environment import TASKS
from dfplan.evaluation.metrics import wilson_interval

HERE = Path(__file__).parent
SUMMARY, README = HERE / "summary.json", HERE / "README.md"
BEGIN, END = "<!-- measured: written by benchmarks/metaworld/summary.py -->", "<!-- end of measured -->"
COLUMNS = ("dfplan", "ranked", "bc", "expert")
ALL_TASKS = "mean"


def summarize(records: list[Record]) -> dict[str, Any]:
    """The figures of all records, the newest first, and what comes of them together."""
    found: dict[str, Any] = {}
    for record in reversed(records):
        found |= record["figures"]
    several = {ALL_TASKS: TASKS, f"{ALL_TASKS}{MULTIMODAL}": [name for name in NAMES if name.endswith(MULTIMODAL)]}
    for title, names in several.items():
        for column in (*COLUMNS, "policy"):
            parts = [found[f"{name}.{column}"] for name in names if f"{name}.{column}" in found]
            if len(parts) == len(names):
                found[f"{title}.{column}"] = together(parts)
    ours = [found[f"{task}.dfplan"] for task in TASKS if f"{task}.dfplan" in found]
    if len(ours) == len(TASKS):
        found["worst.dfplan"] = min(ours, key=lambda each: each["mean"])
    return {name: found[name] for name in sorted(found)}


def together(parts: list[Record]) -> Record:
    """The share of successes of several tasks, all of which count alike."""
    assert len({part["n"] for part in parts}) == 1, "tasks were measured by different numbers of episodes"
    number = parts[0]["n"]
    success = np.concatenate([np.arange(number) < round(part["mean"] * number) for part in parts])
    return vars(wilson_interval(success)) | {"n": success.size}


def table(records: list[Record], figures: dict[str, Any]) -> str:
    """A line for each data set, then the files."""
    titles = [
        *TASKS,
        ALL_TASKS,
        *(name for name in NAMES if name.endswith(MULTIMODAL)),
        f"{ALL_TASKS}{MULTIMODAL}",
        TEN,
    ]
    lines = [row("success % [95 %]", *COLUMNS), "|---|" + "---:|" * len(COLUMNS)]
    for title in titles:
        cells = [figures.get(f"{title}.{column}") for column in COLUMNS]
        if any(cells):
            lines.append(row("one model for all ten" if title == TEN else title, *(told(each) for each in cells)))
    newest = {record["task"]: record for record in reversed(records)}
    files = "  \n".join(f"{name}: {source(newest[name])}" for name in NAMES if name in newest)
    return "\n".join(lines) + f"\n\n{files}"


def told(figure: Record | None) -> str:
    """A share and its interval."""
    if figure is None:
        return "–"
    mean, low, high = (100 * figure[name] for name in ("mean", "low", "high"))
    return f"{mean:.1f} [{low:.0f}, {high:.0f}] of {figure['n']}"


def pages() -> dict[Path, str]:
    """The figures, and the README with their table."""
    records = load(HERE / "results")
    figures = summarize(records)
    for name in NAMES:
        if name not in {record["task"] for record in records}:
            print(f"no result file for {name}; left out")
    readme = between_marks(README.read_text(), table(records, figures), begin=BEGIN, end=END)
    return {SUMMARY: json.dumps(figures, indent=1) + "\n", README: readme}


BENCHMARK = Benchmark(says=__doc__, folder=HERE, pages=pages)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
