"""How much of the score lost to a changed maze LoRA regains: trains the arms, evaluates them, writes a dated file."""

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from dfplan.cli.main import main as dfplan
from dfplan.models.bundle import load_bundle, save_bundle
from dfplan.models.library import folder_of

sys.path.append(str(Path(__file__).parents[1]))
from frame import Benchmark, Named

HERE = Path(__file__).parent
BASE, CHANGED = "maze2d-large", "maze2d-large-changed"
# The trainings: of each the options besides those that all share. Rates were chosen on episodes of seed 1000.
TRAININGS = {
    "lora": ("task=lora", f"task.base={BASE}"),
    "full": (
        "task=lora",
        f"task.base={BASE}",
        "task.rank=0",
        "training.learning_rate=1e-3",
        "training.matrix_learning_rate=1e-3",
    ),
    "scratch": ("task=forcing", "training.learning_rate=3e-3", "training.matrix_learning_rate=1.5e-2"),
}
ARMS = ("home", "ceiling", "old", "measured", *TRAININGS)
KEPT = ("metrics", "goal", "n_episodes", "seed", "weights", "plan_seconds", "wall_seconds")
SHARED = ("commit", "machine", "device", "versions", "start_protocol", "interval")
SCORE = "normalized_return"


def options(parser: argparse.ArgumentParser) -> None:
    """What is to be measured."""
    parser.add_argument("--arms", nargs="*", default=ARMS, choices=ARMS, help="which to play (default all)")
    parser.add_argument("--steps", type=int, default=1000, help="of every training (default 1000)")
    parser.add_argument("--train-seed", type=int, default=0, help="of the trainings (default 0)")
    parser.add_argument("--set", nargs="*", default=[], metavar="key=value", help="further options of every training")
    parser.add_argument("--work", type=Path, required=True, help="folder for runs; what is finished there is kept")


def results(arguments: argparse.Namespace) -> Named:
    """All arms, on the same episodes."""
    quick = ["training.num_steps=2", "training.batch_size=4", "training.compiled=false", "resynthesis.num_steps=5000"]
    shared = [f"env={CHANGED}", f"seed={arguments.train_seed}", "threads=1", f"training.num_steps={arguments.steps}"]
    shared += ["resynthesis.num_steps=200000", "training.validate_every=0"]
    options = [*shared, *arguments.set, *(quick if arguments.quick else [])]
    episodes = [f"n_episodes={2 if arguments.quick else arguments.episodes}", f"seed={arguments.seed}", "threads=1"]
    records, seconds = {}, {}
    for arm in arguments.arms:
        if arm in TRAININGS:
            seconds[arm] = train(arm, options, work=arguments.work)
        records[arm] = evaluate(arm, episodes, work=arguments.work)
        print(f"{arm:10s} {records[arm]['metrics'][SCORE]['mean']:7.1f}", flush=True)
    result = summarize(records, training_seconds=seconds, work=arguments.work)
    result |= {"options": options, "steps": arguments.steps, "train_seed": arguments.train_seed}
    yield f"seed{arguments.train_seed}", result


def train(arm: str, options: Sequence[str], *, work: Path) -> float | None:
    """Train an arm unless it is done; return the wall seconds of the command, data and all, or None if it was done."""
    folder = work / arm
    if (folder / "seconds.json").is_file():
        return json.loads((folder / "seconds.json").read_text())
    began = time.perf_counter()
    say(["train", *TRAININGS[arm][:1], *options, *TRAININGS[arm][1:], f"output={folder}"])
    seconds = round(time.perf_counter() - began, 1)
    (folder / "seconds.json").write_text(json.dumps(seconds))
    return seconds


def evaluate(arm: str, episodes: Sequence[str], *, work: Path) -> dict[str, Any]:
    """Play the episodes with an arm unless that is done; return the result file."""
    folder = work / f"eval-{arm}"
    if not (folder / "results.json").is_file():
        match arm:
            case "home":
                words = [f"env={BASE}"]
            case "ceiling":
                words = [f"env={CHANGED}", "agent=oracle"]
            case "old":
                words = [f"env={CHANGED}", f"weights={folder_of(BASE)}"]
            case "measured":
                words = [f"env={CHANGED}", f"weights={measure_anew(work)}"]
            case _:
                words = [f"env={CHANGED}", f"weights={work / arm}"]
        say(["eval", *words, *episodes, f"output={folder}"])
    return json.loads((folder / "results.json").read_text())


def measure_anew(work: Path) -> Path:
    """The old network with what is measured on the new data without training: visited positions and point mass."""
    train_options = [
        "training.num_steps=1",
        "training.batch_size=1",
        "training.compiled=false",
        "resynthesis=none",
        "windows.held_steps=0",
    ]
    if not (work / "measuring").exists():
        say(
            [
                "train",
                "task=lora",
                f"env={CHANGED}",
                f"task.base={BASE}",
                *train_options,
                f"output={work / 'measuring'}",
            ]
        )
    old, _ = load_bundle(folder_of(BASE))
    new, metadata = load_bundle(work / "measuring" / "model")
    tensors = {name: value for name, value in old.items() if not name.startswith("support.")}
    tensors |= {name: value for name, value in new.items() if name.startswith("support.")}
    del metadata["adaptation"]
    save_bundle(work / "measured", tensors, metadata)
    return work / "measured"


def summarize(
    records: Mapping[str, Mapping[str, Any]], *, training_seconds: Mapping[str, float | None], work: Path
) -> dict[str, Any]:
    """What is kept of the evaluations, and the shares regained."""
    some = next(iter(records.values()))
    arms = {}
    for arm, record in records.items():
        arms[arm] = {key: record[key] for key in KEPT} | {"commit": record["commit"]}
        if arm in TRAININGS:
            metadata = json.loads((work / arm / "model" / "model.json").read_text())["metadata"]
            arms[arm] |= {"training_seconds": training_seconds[arm], "adaptation": metadata.get("adaptation")}
    scores = {arm: np.array([each[SCORE] for each in record["episodes"]]) for arm, record in records.items()}
    regained = {
        f"{arm} of what {reference} has over {before}": regained_share(
            scores[arm], before=scores[before], reference=scores[reference]
        )
        for arm in TRAININGS
        for reference in ("full", "scratch", "ceiling")
        for before in ("old", "measured")
        if arm != reference
        and {arm, reference, before} <= set(scores)
        and scores[reference].mean() > scores[before].mean()  # else nothing was lost
    }
    question = "how much of the score lost to a changed maze does LoRA regain"
    return {"question": question, **{key: some[key] for key in SHARED}, "arms": arms, "regained": regained}


def regained_share(adapted: np.ndarray, *, before: np.ndarray, reference: np.ndarray) -> dict[str, float]:
    """Mean gain over the reference's mean gain, with a 95 % percentile bootstrap over the shared episodes."""
    draws = np.random.default_rng(0).integers(len(before), size=(10_000, len(before)))
    gains, lost = (adapted - before)[draws].mean(axis=1), (reference - before)[draws].mean(axis=1)
    low, high = np.percentile(gains[lost > 0] / lost[lost > 0], [2.5, 97.5])
    share = (adapted - before).mean() / (reference - before).mean()
    return {"mean": float(share), "low": float(low), "high": float(high)}


def say(words: Sequence[str]) -> None:
    """Run a dfplan command in this process; end with its exit status if it fails."""
    with contextlib.redirect_stdout(StringIO()):
        status = dfplan(list(words))
    if status:
        sys.exit(status)


BENCHMARK = Benchmark(
    says=__doc__,
    folder=HERE,
    measure=results,
    options=options,
    episodes=46,
    seed=0,
    quick="seconds instead of minutes; the numbers mean nothing",
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
