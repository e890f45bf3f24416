"""How long one plan takes for one environment, and what it scores; writes a dated file and the README's table."""

import argparse
import contextlib
import json
import os
import sys
import tempfile
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

from dfplan.cli.main import main as dfplan
from dfplan.evaluation.report import write_record

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
    README.write_text(updated(README.read_text(), newest=load_newest(HERE / "results")))
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


def evaluate(words: list[str]) -> dict[str, Any] | None:
    """The record of one `dfplan eval`; None where it fails, and says on stderr why."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(StringIO()):
        if dfplan(["eval", *words, f"output={folder}/out"]):
            return None
        return json.loads((Path(folder) / "out" / "results.json").read_text())


def load_newest(folder: Path) -> dict[str, Any] | None:
    """The newest result file."""
    paths = sorted(folder.glob("*.json"))
    return json.loads(paths[-1].read_text()) | {"file": paths[-1].name} if paths else None


def updated(readme: str, *, newest: dict[str, Any] | None) -> str:
    """The README with its table written anew."""
    before, rest = readme.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n\n{render(newest)}\n\n{END}{after}"


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
