"""How long one plan takes for one environment, and what it scores; writes a dated file and the README's table."""

import argparse
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dfplan.evaluation.report import write_record

sys.path.append(str(Path(__file__).parents[1]))
from records import between_marks, evaluate, newest_file

HERE = Path(__file__).parent
README = HERE / "README.md"
BEGIN, END = "<!-- table: written by benchmarks/latency/run.py -->", "<!-- end of table -->"
EXPERIMENTS = ("maze2d-umaze-pursuit", "maze2d-medium-pursuit", "maze2d-large-pursuit", "maze2d-large-rnn-pursuit")
BUDGETS: dict[str, list[str]] = {
    "default": [],
    "planner=fast: 50 ms": ["planner=fast"],
    "default, cut at 50 ms": ["planner.budget_ms=50"],
}
KEPT = ("n_episodes", "seed", "metrics", "plan_seconds", "plan_network", "weights", "wall_seconds", "config")
SHARED = ("commit", "machine", "device", "versions", "start_protocol")


def main() -> int:
    """Measure every experiment with every budget; return the exit status of the first that fails, or 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=100, help="of each row, played one at a time")
    parser.add_argument("--seed", type=int, default=1000, help="of the episodes (default 1000)")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (default 2)")
    parser.add_argument("--note", default="", help="what else the machine was doing")
    parser.add_argument("--table", action="store_true", help="measure nothing, write the table from the newest file")
    arguments = parser.parse_args()
    if not arguments.table:
        words = ["n_envs=1", f"n_episodes={arguments.episodes}", f"seed={arguments.seed}"]
        result = measure([*words, f"threads={arguments.threads}"])
        if result is None:
            return 2
        now = datetime.now(UTC)
        result |= {"threads": arguments.threads, "note": arguments.note, "date": now.isoformat(timespec="seconds")}
        print(write_record(result, path=HERE / "results" / f"{now:%Y-%m-%d-%H%M}.json"))
    README.write_text(updated(README.read_text()))
    return 0


def measure(words: list[str]) -> dict[str, Any] | None:
    """Every experiment with every budget; None where one fails."""
    shared: dict[str, Any] = {"load_average_before": [round(each, 2) for each in os.getloadavg()]}
    rows = []
    for experiment in EXPERIMENTS:
        for budget, options in BUDGETS.items():
            record = evaluate([f"experiment={experiment}", *words, *options])
            if record is None:
                return None
            rows.append({"experiment": experiment, "budget": budget} | {key: record[key] for key in KEPT})
            shared |= {key: record[key] for key in SHARED}
            print(row_of(rows[-1]), flush=True)
    return {"question": "latency of one plan for one environment", **shared, "rows": rows}


def updated(readme: str) -> str:
    """The README with the table of the newest file."""
    return between_marks(readme, render(newest_file(HERE / "results")), begin=BEGIN, end=END)


def render(record: dict[str, Any] | None) -> str:
    """The table of a record."""
    if record is None:
        return "No result file yet."
    lines = [
        "| experiment | planner | p50 ms | p95 ms | p99 ms | plans | network calls | score [95 %] | success % |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
        *(row_of(row) for row in record["rows"]),
        "",
        f"[{record['file']}](results/{record['file']}): {record['machine']}, {record['threads']} threads, commit "
        f"`{record['commit'][:12]}`, load average before {record['load_average_before'][0]}; {record['note']}",
    ]
    return "\n".join(lines).rstrip("; ")


def row_of(row: dict[str, Any]) -> str:
    """One line of the table."""
    seconds, score = row["plan_seconds"], row["metrics"]["normalized_return"]
    cells = (
        row["experiment"],
        row["budget"],
        *(f"{1000 * seconds[name]:.0f}" for name in ("p50", "p95", "p99")),
        str(seconds["plans"]),
        f"{row['plan_network']['evaluations']:.0f}",
        f"{score['mean']:.1f} [{score['low']:.1f}, {score['high']:.1f}]",
        f"{100 * row['metrics']['success_rate']['mean']:.1f}",
    )
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main())
