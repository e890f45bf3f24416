"""Writes summary.json, and the table of README.md, from the result files: of each figure the newest.

``--check`` answers 1 where summary.json is not what the files say. What has no result file yet is left out, and said.
"""

import json
import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))
from frame import Benchmark
from records import Record, between_marks, load, row, source

HERE = Path(__file__).parent
SUMMARY, README = HERE / "summary.json", HERE / "README.md"
BEGIN, END = "<!-- measured: written by benchmarks/any_robot/summary.py -->", "<!-- end of measured -->"
EXPECTED = (
    "fetch-reach.success",
    "reacher.dfplan",
    "reacher.bc",
    "pendulum.dfplan",
    "pendulum.bc",
    "closed-door.history",
    "closed-door.no_history",
    "pointmaze-large-v3.success",
)


def summarize(records: list[Record]) -> dict[str, Any]:
    """The figures of all records, the newest first, in the order of their names."""
    found: dict[str, Any] = {}
    for record in reversed(records):
        found |= record["figures"]
    return {name: found[name] for name in sorted(found)}


def table(records: list[Record]) -> str:
    """A line for each row of the newest record of each robot with data made by hand, then the other successes."""
    newest = {record["robot"]: record for record in reversed(records) if "rows" in record}
    lines = [row("robot", "", "return [95 %]", "of each training", "success %"), "|---|---|---:|---:|---:|"]
    for name, record in newest.items():
        lines += [line(name, title, found) for title, found in record["rows"].items()]
    lines += ["", row("success", "% [95 %]", "episodes", "file"), "|---|---:|---:|---|"]
    told: set[str] = set()
    for record in records:  # the newest first
        for name, found in record["figures"].items():
            if "rows" not in record and name not in told:
                told.add(name)
                mean, low, high = (100 * found[each] for each in ("mean", "low", "high"))
                lines.append(row(name, f"{mean:.1f} [{low:.1f}, {high:.1f}]", str(found["n"]), source(record)))
    files = "  \n".join(f"{name}: {source(record)}" for name, record in newest.items())
    return "\n".join(lines) + f"\n\n{files}"


def line(robot: str, title: str, found: dict[str, Any]) -> str:
    """One row."""
    mean, low, high = (found["return"][name] for name in ("mean", "low", "high"))
    each = ", ".join(f"{value:.4g}" for value in found.get("of_each_training", []))
    rate = f"{100 * found['success']['mean']:.1f}" if "success" in found else "–"
    best = f" (best tenth {found['best_tenth']:.4g})" if "best_tenth" in found else ""
    return row(robot, title + best, f"{mean:.4g} [{low:.4g}, {high:.4g}]", each or "–", rate)


def pages() -> dict[Path, str]:
    """The figures, and the README with their table."""
    records = load(HERE / "results")
    figures = summarize(records)
    for name in EXPECTED:
        if name not in figures:
            print(f"no result file for {name}; left out")
    readme = between_marks(README.read_text(), table(records), begin=BEGIN, end=END)
    return {SUMMARY: json.dumps(figures, indent=1) + "\n", README: readme}


BENCHMARK = Benchmark(says=__doc__, folder=HERE, pages=pages)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
