"""Does history pay? In a maze of two ways, one of them closed: trained by public commands, played with it and without.

``python benchmarks/any_robot/closed_door.py`` writes ``results/<date>_closed-door.json``.
"""

import argparse
import json
import resource
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dfplan.cli.main import main as dfplan
from dfplan.evaluation.metrics import wilson_interval

sys.path.append(str(Path(__file__).parents[1]))
from frame import Benchmark, Named
from records import Record, evaluate

HERE = Path(__file__).parent
PLAYED = ["env=closed-door", "planner=history", "controller=actions", "controller.shrinking=true"]
ROWS: dict[str, list[str]] = {"history": [], "no_history": ["planner.history=0"]}


def options(parser: argparse.ArgumentParser) -> None:
    """What is to be measured."""
    parser.add_argument("--trainings", type=int, nargs="+", default=[0, 1, 2], metavar="SEED")
    parser.add_argument("--runs", type=Path, default=Path("runs/closed-door"), help="where data and trainings are kept")


def results(arguments: argparse.Namespace) -> Named:
    """Generate and train what is missing, and play."""
    data = arguments.runs / "demonstrations.hdf5"
    if not data.exists():
        run("generate", "env=closed-door", f"output={data}")
    folders = {seed: arguments.runs / f"seed-{seed}" for seed in arguments.trainings}
    seconds = {str(seed): train(folder, data=data, seed=seed) for seed, folder in folders.items()}
    asked = [f"n_episodes={arguments.episodes}", f"seed={arguments.seed}"]
    rows = {name: [play([*words, *asked], folder) for folder in folders.values()] for name, words in ROWS.items()}
    record = {
        "robot": "closed-door",
        "question": "which of two ways is closed was seen at the start alone: is the open one taken?",
        "cpu_seconds_of_training": seconds,
        "options": {name: [*PLAYED, *words, *asked] for name, words in ROWS.items()},
        "played": {name: [summary(each) for each in found] for name, found in rows.items()},
        "figures": {f"closed-door.{name}": figure(found) for name, found in rows.items()},
    }
    print(json.dumps(record["figures"], indent=1))
    yield "closed-door", record


def run(*words: str) -> None:
    """One command of dfplan, as anybody calls it."""
    if status := dfplan(list(words)):
        raise SystemExit(status)


def train(folder: Path, *, data: Path, seed: int) -> float:
    """Train by the recipe unless it is done; CPU seconds that it took."""
    kept = folder / "cpu_seconds.json"
    if not kept.exists():
        before = resource.getrusage(resource.RUSAGE_SELF)
        words = ("env=closed-door", "recipe=history", f"data={data}", f"seed={seed}", "threads=1")
        run("train", *words, f"output={folder}")
        after = resource.getrusage(resource.RUSAGE_SELF)
        kept.write_text(json.dumps(round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1)))
    return json.loads(kept.read_text())


def play(words: Sequence[str], folder: Path) -> Record:
    """The record of one evaluation."""
    record = evaluate([*PLAYED, *words, f"weights={folder}"])
    if record is None:
        raise SystemExit(1)
    return record


def summary(record: Record) -> dict[str, Any]:
    """What the file says of an evaluation."""
    return {name: record[name] for name in ("metrics", "plan_seconds", "weights")}


def figure(records: Sequence[Record]) -> dict[str, Any]:
    """Success over the episodes of all trainings, with Wilson's interval."""
    success = np.array([episode["success"] for record in records for episode in record["episodes"]])
    return vars(wilson_interval(success)) | {"n": len(success)}


BENCHMARK = Benchmark(says=__doc__, folder=HERE, measure=results, options=options, episodes=200, seed=1000)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
