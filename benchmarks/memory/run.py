"""Does the planner remember? Trains with and without memory in a T-maze, counts choices, writes a result file."""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dfplan.agent import MPCAgent, PlannedActions
from dfplan.cli.build import describe_weights
from dfplan.cli.main import main as dfplan
from dfplan.evaluation.metrics import Estimate, mean_interval, wilson_interval
from dfplan.models.bundle import load_bundle
from dfplan.models.forcing_model import load_forcing_model
from dfplan.models.sight import load_sight
from dfplan.planner import Planner, PlannerSettings

sys.path.append(str(Path(__file__).parents[1]))
from choices import roll_out_choices
from crossed import crossed_interval
from frame import Benchmark, Named

HERE = Path(__file__).parent
TRAININGS = {"memory": ["task=memory"], "memoryless": ["recipe=memoryless"]}
# What is played: which training, and how observations are disturbed.
ROWS: dict[str, tuple[str, dict[str, Any]]] = {
    "memory": ("memory", {}),
    "memory-less": ("memoryless", {}),
    "memory, 25 % disturbed, marked": ("memory", {"disturbed_share": 0.25}),
    "memory, 25 % disturbed, not marked": ("memory", {"disturbed_share": 0.25, "marked": False}),
    "memory, 50 % disturbed, marked": ("memory", {"disturbed_share": 0.5}),
    "memory, light hidden": ("memory", {"hidden_steps": 32}),
}


def options(parser: argparse.ArgumentParser) -> None:
    """What is to be measured."""
    parser.add_argument("--env", default="tmaze", choices=["tmaze", "pixel-tmaze"])
    parser.add_argument("--trainings", type=int, nargs="+", default=[0, 1, 2], metavar="SEED")
    parser.add_argument("--runs", type=Path, default=Path("runs/memory"), help="where trainings are kept")
    parser.add_argument("options", nargs="*", help="further options of `dfplan train`")


def results(arguments: argparse.Namespace) -> Named:
    """Train what is missing, and play every row with every training."""
    torch.set_num_threads(1)
    began = time.perf_counter()
    runs = {
        (name, seed): arguments.runs / f"{arguments.env}-{name}-{seed}"
        for seed in arguments.trainings
        for name in TRAININGS
    }
    for (name, seed), folder in runs.items():
        if status := train(folder, [*TRAININGS[name], f"env={arguments.env}", f"seed={seed}", *arguments.options]):
            raise SystemExit(status)
    rows, first = [], np.zeros(0)
    for name in ROWS:
        row, correct = play(name, runs=runs, arguments=arguments)
        first = correct if not rows else first
        if rows and ROWS[name][0] == "memory":
            row["lost"] = vars(interval(first - correct))
        rows.append(row)
    yield (
        arguments.env,
        {
            "question": "the arm that pays was named at the start alone: is it chosen?",
            "env": arguments.env,
            "episode_seed": arguments.seed,
            "planner": {"num_levels": PlannerSettings().num_levels, "rho": PlannerSettings().rho},
            "trainings": {f"{name} {seed}": of_training(folder) for (name, seed), folder in runs.items()},
            "wall_seconds": round(time.perf_counter() - began, 1),
            "rows": rows,
        },
    )


def train(folder: Path, words: list[str]) -> int:
    """Train in a folder, unless it holds the finished training already."""
    if (folder / "config.json").is_file():
        return dfplan(["train", f"resume={folder}", "threads=1"])
    return dfplan(["train", *words, "threads=1", f"output={folder}"])


def play(
    row: str, *, runs: dict[tuple[str, int], Path], arguments: argparse.Namespace
) -> tuple[dict[str, Any], np.ndarray]:
    """One row, the same episodes with each training; and which were right, ``(trainings, episodes)``."""
    training, conditions = ROWS[row]
    by_training, correct = {}, []
    for seed in arguments.trainings:
        weights = runs[training, seed] / "model"
        agent = build_agent(weights, remembers=training == "memory")
        found = roll_out_choices(
            agent,
            env_id=f"{arguments.env}-v0",
            num_episodes=arguments.episodes,
            seed=arguments.seed,
            encode=build_eyes(weights),
            **conditions,
        )
        by_training[str(seed)] = found.summary()
        correct.append((found.choices == found.cues).astype(np.float64))
    result = {
        "row": row,
        "conditions": conditions,
        "success": vars(interval(np.stack(correct))),
        "by_training": by_training,
    }
    print(row, result["success"], [each["correct"] for each in by_training.values()], flush=True)
    return result, np.stack(correct)


def interval(values: np.ndarray) -> Estimate:
    """Of the mean of ``(trainings, episodes)``, for other trainings and other episodes.

    Where no training and no episode differs from another, what one training's episodes say, by Wilson's formula.
    """
    if len(values) > 1 and np.ptp(values) > 0:
        return crossed_interval(values)
    if len(values) == 1:
        return mean_interval(values[0])
    found = wilson_interval(np.ones(values.shape[1], bool))
    return Estimate(
        float(values[0, 0]), *((found.low, found.high) if values[0, 0] else (1 - found.high, 1 - found.low))
    )


def build_agent(weights: Path, *, remembers: bool) -> MPCAgent:
    """The agent of a trained model, which plans one token at a time."""
    model = load_forcing_model(weights)
    planner = Planner(model, settings=PlannerSettings(num_candidates=1, history=None if remembers else 0))
    steps = model.layout.steps_per_token
    return MPCAgent(planner, controller=PlannedActions(model.layout.action_dim), replan_every=steps, horizon=steps)


def build_eyes(weights: Path) -> Callable[[np.ndarray], np.ndarray] | None:
    """What the model was trained to see frames with; None where it is told states."""
    described = load_forcing_model(weights).metadata.get("frames")
    return None if described is None else load_sight(weights, described).places


def of_training(folder: Path) -> dict[str, Any]:
    """What the record says of a training: its configuration, how it ended and which weights came of it."""
    config = json.loads((folder / "config.json").read_text())
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    last = {name: value for line in lines for name, value in line.items()}
    weights = describe_weights(folder / "model", load_bundle(folder / "model")[1])
    return {"config": config["config"], "training": config["training"], "last_metrics": last, "weights": weights}


BENCHMARK = Benchmark(says=__doc__, folder=HERE, measure=results, options=options, episodes=200, seed=1000)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
