"""Are routes that nobody went made of parts of others? At a crossing, with memory of how one came there and without."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from crossing import straight_ways

import dfplan

sys.path.append(str(Path(__file__).parents[1]))
from frame import Benchmark, Named
from records import Record, between_marks, evaluate, newest_file, row, source
from worlds import EPISODE_SEED, successes

HERE = Path(__file__).parent
SUMMARY, README = HERE / "summary.json", HERE / "README.md"
BEGIN, END = "<!-- measured: written by benchmarks/cross/run.py -->", "<!-- end of measured -->"
ENV = "Crossing-v0"  # in this process, which has imported it
WAYS = 2000
TRAINED = ("recipe=history", "windows.steps_per_token=4", "env.window_tokens=8", "threads=1")
# No goal is shown: it only says which of the candidates is taken.
PLAYED = (
    "planner=history",
    "planner.cfg_scale=0",
    "planner.noise_scale=0.7",
    "controller=actions",
    "controller.replan_every=4",
)
ROWS = {
    "no_memory": ("planner.history=0", "planner.num_candidates=16"),
    "memory": ("planner.history=null", "planner.num_candidates=16"),
    "no_memory.any": ("planner.history=0", "planner.num_candidates=1"),
    "memory.any": ("planner.history=null", "planner.num_candidates=1"),
}
SAID = {
    "no_memory": "the present place alone, the best of 16",
    "memory": "everything since the beginning, the best of 16",
    "no_memory.any": "the present place alone, any plan",
    "memory.any": "everything since the beginning, any plan",
}


def options(parser: argparse.ArgumentParser) -> None:
    """What is to be measured."""
    parser.add_argument("--trainings", type=int, nargs="+", default=[0, 1, 2], metavar="SEED")
    parser.add_argument("--runs", type=Path, default=Path("runs/cross"), help="where trainings are kept")


def results(arguments: argparse.Namespace) -> Named:
    """Train what is missing, and play."""
    folders = [arguments.runs / f"seed-{seed}" for seed in arguments.trainings]
    for folder, seed in zip(folders, arguments.trainings, strict=True):
        if not (folder / "model").exists():
            dfplan.train(straight_ways(WAYS, seed=seed), env=ENV, seed=seed, output=folder, options=TRAINED)
    asked = (f"env={ENV}", f"n_episodes={arguments.episodes}", f"seed={arguments.seed}")
    rows = {name: share([*PLAYED, *words, *asked], folders) for name, words in ROWS.items()}
    yield (
        "cross",
        {
            "question": "all data go straight on at a crossing: how often does a planner turn there?",
            "trained": list(TRAINED),
            "played": {name: [*PLAYED, *words] for name, words in ROWS.items()},
            "rows": rows,
            "figures": {f"cross.{name}": found["success"] for name, found in rows.items()},
        },
    )


def share(words: Sequence[str], folders: Sequence[Path]) -> dict[str, Any]:
    """How many ways are Vs, over the episodes of all trainings, and of each."""
    records = [evaluate([*words, f"weights={folder}"]) for folder in folders]
    success = np.array([[episode["success"] for episode in record["episodes"]] for record in records])
    each = success.mean(axis=1).tolist()
    return {"success": successes(success), "each": each, "weights": [found["weights"] for found in records]}


def pages() -> dict[Path, str]:
    """The figures, and the README with their table."""
    record = newest_file(HERE / "results")
    text = "Nothing is measured yet." if record is None else table(record)
    figures = {} if record is None else record["figures"]
    readme = between_marks(README.read_text(), text, begin=BEGIN, end=END)
    return {SUMMARY: json.dumps(figures, indent=1) + "\n", README: readme}


def table(record: Record) -> str:
    """A line for each of the ways to plan."""
    lines = [row("plans follow from", "V-shaped ways % [95 %]", "of each training"), "|---|---:|---:|"]
    for name, found in record["rows"].items():
        mean, low, high = (100 * found["success"][key] for key in ("mean", "low", "high"))
        each = ", ".join(f"{100 * share:.0f}" for share in found["each"])
        lines.append(row(SAID[name], f"{mean:.1f} [{low:.1f}, {high:.1f}]", each))
    return "\n".join(lines) + f"\n\n{source(record)}"


BENCHMARK = Benchmark(
    says=__doc__, folder=HERE, measure=results, options=options, episodes=200, seed=EPISODE_SEED, pages=pages
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
