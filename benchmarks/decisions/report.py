"""Writes summary.json and the table of README.md from the result files: of each world the newest.

``--check`` answers 1 where summary.json is not what the files say.
"""

import json
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))
from frame import Benchmark
from records import Record, between_marks, figures_of, head, load, newest_of_tasks, row, source

HERE = Path(__file__).parent
SUMMARY, README = HERE / "summary.json", HERE / "README.md"
BEGIN, END = "<!-- measured: written by benchmarks/decisions/report.py -->", "<!-- end of measured -->"


def table(records: list[Record]) -> str:
    """A line for each row of each world, and the files."""
    found = newest_of_tasks(records)
    lines = [*head("world, as", "p50 ms", "p95 ms", "CPU p50, p95 ms", "decisions/s", "plans", "preempted")]
    for name, record in found.items():
        for title, each in record["rows"].items():
            wall, cpu = each["plan_ms"], each["plan_cpu_ms"]
            times = (f"{wall['p50']:.1f}", f"{wall['p95']:.1f}", f"{cpu['p50']:.1f}, {cpu['p95']:.1f}")
            counts = (f"{each['decisions_per_second']:.0f}", wall["n"], each["preempted"])
            lines.append(row(f"{name}, {title}", *times, *counts))
    files = "  \n".join(f"{name}: {source(record)}; {record['note']}".rstrip("; ") for name, record in found.items())
    return "\n".join(lines) + f"\n\n{files}"


def pages() -> dict[Path, str]:
    """The figures, and the README with their table."""
    records = load(HERE / "results")
    text = json.dumps(figures_of(records), indent=2) + "\n"
    readme = between_marks(README.read_text(), table(records), begin=BEGIN, end=END)
    return {SUMMARY: text, README: readme}


BENCHMARK = Benchmark(says=__doc__, folder=HERE, pages=pages)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
