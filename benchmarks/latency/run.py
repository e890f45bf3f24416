"""How long one plan takes for one environment, and what it scores; writes a dated file and the README's table."""

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))
from frame import Benchmark, Named
from records import between_marks, evaluate, load_of, newest_file

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


def results(arguments: argparse.Namespace) -> Named:
    """Every experiment with every budget, one environment at a time."""
    words = ["n_envs=1", f"n_episodes={arguments.episodes}", f"seed={arguments.seed}", f"threads={arguments.threads}"]
    yield "", measure(words) | {"threads": arguments.threads}


def measure(words: list[str]) -> dict[str, Any]:
    """Every experiment with every budget."""
    shared: dict[str, Any] = {}
    rows = []
    for experiment in EXPERIMENTS:
        for budget, options in BUDGETS.items():
            record = evaluate([f"experiment={experiment}", *words, *options])
            if record is None:
                raise SystemExit(2)
            rows.append({"experiment": experiment, "budget": budget} | {key: record[key] for key in KEPT})
            shared |= {key: record[key] for key in SHARED}
            print(row_of(rows[-1]), flush=True)
    return {"question": "latency of one plan for one environment", **shared, "rows": rows}


def pages() -> dict[Path, str]:
    """The README with the table of the newest file."""
    return {README: between_marks(README.read_text(), render(newest_file(HERE / "results")), begin=BEGIN, end=END)}


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
        f"`{record['commit'][:12]}`, load average before {load_of(record)}; {record['note']}",
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


BENCHMARK = Benchmark(says=__doc__, folder=HERE, measure=results, episodes=100, seed=1000, threads=1, pages=pages)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
