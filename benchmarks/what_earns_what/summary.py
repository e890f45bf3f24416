"""Writes summary.json, and the tables of README.md, from the result files: of each world the newest.

``--check`` answers 1 where summary.json is not what the files say.
"""

import json
import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))
from frame import Benchmark
from records import Record, between_marks, load, row, source
from run import OWN_ROWS, WORLDS

HERE = Path(__file__).parent
SUMMARY, README = HERE / "summary.json", HERE / "README.md"
BEGIN, END = "<!-- measured: written by benchmarks/what_earns_what/summary.py -->", "<!-- end of measured -->"


def newest_of_each(records: list[Record]) -> dict[str, Record]:
    """The newest record of each world that has one, in the order of the worlds."""
    newest = {record["task"]: record for record in reversed(records)}
    return {name: newest[name] for name in WORLDS if name in newest}


def summarize(records: list[Record]) -> dict[str, Any]:
    """The figures of the newest records."""
    figures = {name: each for record in newest_of_each(records).values() for name, each in record["figures"].items()}
    return dict(sorted(figures.items()))


def tables(records: list[Record]) -> str:
    """What each row comes to in each world, how long one plan takes there, and the files."""
    found = newest_of_each(records)
    lines = [row("", *(f"{name}, {_unit(record)}" for name, record in found.items())), "|---|" + "---:|" * len(found)]
    lines += [row(title, *(_told(each, title) for each in found.values())) for title in OWN_ROWS]
    times = [row("ms of a plan", *found), "|---|" + "---:|" * len(found)]
    times += [row(title, *(_milliseconds(each, title) for each in found.values())) for title in OWN_ROWS]
    files = "  \n".join(f"{name}: {source(record)}" for name, record in found.items())
    return "\n\n".join(["\n".join(lines), "\n".join(times), files])


def _unit(record: Record) -> str:
    return "success %" if record["value"] == "success" else "return"


def _told(record: Record, title: str) -> str:
    if title not in record["rows"]:
        return "–"
    figure, factor = record["rows"][title][record["value"]], 100 if record["value"] == "success" else 1
    mean, low, high = (factor * figure[name] for name in ("mean", "low", "high"))
    return f"{mean:.0f} [{low:.0f}, {high:.0f}]" if abs(mean) >= 20 else f"{mean:.1f} [{low:.1f}, {high:.1f}]"


def _milliseconds(record: Record, title: str) -> str:
    """The median of a plan of each environment of a batch, by the first training."""
    spent = record["rows"][title]["plan_seconds"][0]["p50"] if title in record["rows"] else None
    return "–" if spent is None else f"{1000 * spent:.1f}"


def pages() -> dict[Path, str]:
    """The figures, and the README with their table."""
    records = load(HERE / "results")
    text = json.dumps(summarize(records), indent=1) + "\n"
    readme = between_marks(README.read_text(), tables(records), begin=BEGIN, end=END)
    return {SUMMARY: text, README: readme}


BENCHMARK = Benchmark(says=__doc__, folder=HERE, pages=pages)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
