"""Writes summary.json and the table of each world's README from its result files: of each task the newest.

``--check`` answers 1 where a summary.json is not what the files say.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from records import Record, between_marks, load, row, source

HERE = Path(__file__).parent
BEGIN, END = "<!-- measured: written by benchmarks/world_tables.py -->", "<!-- end of measured -->"
# What rows have: title, factor and decimals.
COLUMNS = {
    "success": ("success %", 100, 1),
    "coverage": ("best coverage %", 100, 1),
    "score": ("D4RL score (regenerated)", 1, 1),
    "return": ("return", 1, 1),
}


def newest_of_each(records: list[Record]) -> dict[str, Record]:
    """The newest record of each task, by its name."""
    return {record["task"]: record for record in sorted(records, key=lambda each: each["date"])}


def summarize(records: list[Record]) -> dict[str, Any]:
    """The figures of the newest records, in the order of their names."""
    figures = {name: value for each in newest_of_each(records).values() for name, value in each["figures"].items()}
    return dict(sorted(figures.items()))


def table(records: list[Record]) -> str:
    """A line for each row of the newest record of each task, and the files."""
    found = newest_of_each(records)
    titles = [title for name, (title, *_) in COLUMNS.items() if any(name in r for r in _rows(found))]
    lines = [row("task", "", *titles, "of each training", "episodes", "CPU minutes of a training"), ""]
    lines[1] = "|---|---|" + "---:|" * (len(titles) + 3)
    for task, record in found.items():
        for name, each in record["rows"].items():
            lines.append(
                row(task, name, *_values(each, titles), _trainings(each), each["return"]["n"], _cost(record, name))
            )
    files = "  \n".join(f"{task}: {source(record)}" for task, record in found.items())
    return "\n".join(lines) + f"\n\n{files}"


def _rows(found: dict[str, Record]) -> Iterator[Record]:
    return (each for record in found.values() for each in record["rows"].values())


def _values(found: Record, titles: list[str]) -> Iterator[str]:
    for name, (title, factor, digits) in COLUMNS.items():
        if title in titles:
            told = found.get(name)
            bounds = [f"{factor * told[each]:.{digits}f}" for each in ("mean", "low", "high")] if told else []
            yield f"{bounds[0]} [{bounds[1]}, {bounds[2]}]" if bounds else "–"


def _trainings(found: Record) -> str:
    if "success_of_each_training" in found:
        return ", ".join(f"{100 * each:.0f}" for each in found["success_of_each_training"])
    return ", ".join(f"{each:.4g}" for each in found.get("of_each_training", [])) or "–"


def _cost(record: Record, name: str) -> str:
    training = record.get("trainings_of_rows", {}).get(name)
    costs = [cost for title, cost in record["cpu_seconds_of_training"].items() if title.split()[0] == training]
    return f"{max(costs) / 60:.1f}" if costs else "–"


def main() -> int:
    """Write figures and tables, or with ``--check`` answer 1 where the figures are not current."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    current = True
    for readme in sorted(HERE.glob("*/README.md")):
        if BEGIN not in readme.read_text():
            continue
        records, summary = load(readme.parent / "results"), readme.parent / "summary.json"
        text = json.dumps(summarize(records), indent=2) + "\n"
        current &= summary.exists() and summary.read_text() == text
        if not check:
            summary.write_text(text)
            readme.write_text(between_marks(readme.read_text(), table(records), begin=BEGIN, end=END))
            print(summary)
    return int(check and not current)


if __name__ == "__main__":
    sys.exit(main())
