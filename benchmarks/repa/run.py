"""Does alignment with features of clean frames teach the planner faster? Trains all arms, measures, writes tables."""

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from measure import LEVEL, held_out_windows, model_at, representation, score, validation_loss

from dfplan.cli.build import describe_weights
from dfplan.cli.folders import dataset_folder
from dfplan.cli.main import main as dfplan
from dfplan.data.split import hold_out
from dfplan.domains.camera import load_camera
from dfplan.domains.maze.sources import load_trajectories
from dfplan.models.frame_encoder import frozen_encoder
from dfplan.training.checkpoint import checkpoint_folder

sys.path.append(str(Path(__file__).parents[1]))
from frame import Benchmark, Named
from records import Record

HERE = Path(__file__).parent
README, RESULTS = HERE / "README.md", HERE / "results"
BEGIN, END = "<!-- table: written by benchmarks/repa/run.py -->", "<!-- end of table -->"
ENCODER = "encoder"  # where an arm names the self-supervised encoder
ARMS: dict[str, dict[str, Any]] = {
    "none": {"weight": 0},
    "cosine": {"encoder": ENCODER, "loss": "cosine"},
    "nt-xent": {"encoder": ENCODER, "loss": "nt-xent"},
    "random encoder, cosine": {"encoder": "random", "loss": "cosine"},
    "random encoder, nt-xent": {"encoder": "random", "loss": "nt-xent"},
    "state": {"encoder": "state", "loss": "cosine"},
}
DEPTH = 2
# The planned actions of two tokens: what the network has learned, without a controller that drives by itself.
PLANNER = (
    "controller=actions", "controller.replan_every=8", "planner=fast", "planner.budget_ms=null", "planner.horizon=32",
    "goal=random",
)  # fmt: skip
SUCCESS = 0.5  # steps to this success are counted: the largest that every arm of the first record reached
SETTINGS = ("maze", "steps", "episodes", "set")  # what the measures of all runs in one folder have in common


def options(parser: argparse.ArgumentParser) -> None:
    """What is to be measured."""
    parser.add_argument("--maze", default="medium")
    parser.add_argument("--arms", nargs="*", default=list(ARMS), choices=list(ARMS))
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2], help="of trainings")
    parser.add_argument("--runs", type=Path, default=Path("runs/repa"), help="where trainings go, or lie already")
    parser.add_argument("--steps", type=int, nargs="*", default=[100, 200, 300], help="the last one ends a training")
    parser.add_argument("--set", nargs="*", default=[], metavar="key=value", help="options for every training")


def results(arguments: argparse.Namespace) -> Named:
    """Train and measure what is not there yet; everything that is."""
    check_settings(arguments)
    torch.set_num_threads(1)
    if train_encoder(arguments.runs, maze=arguments.maze):
        raise SystemExit(2)
    for seed in arguments.seeds:
        for arm in arguments.arms:
            run = arguments.runs / f"{arm.replace(', ', '-').replace(' ', '-')}-{seed}"
            if not (run / "measures.json").is_file():
                finished = checkpoint_folder(run / "checkpoints", arguments.steps[-1])
                if not finished.is_dir() and train_arm(run, arm, seed=seed, arguments=arguments):
                    raise SystemExit(2)
                if not finished.is_dir():  # a signal stopped it
                    raise SystemExit(130)
                rows = measured(run, arm, seed=seed, arguments=arguments)
                (run / "measures.json").write_text(json.dumps(rows))
                print(
                    arm,
                    seed,
                    [round(row["scores"]["latched_normalized_return"]["mean"], 1) for row in rows],
                    flush=True,
                )
    yield "", whole(arguments.runs)


def check_settings(arguments: argparse.Namespace) -> None:
    """Keep with the runs what they have in common; refuse runs of other settings."""
    path, settings = arguments.runs / "settings.json", {name: getattr(arguments, name) for name in SETTINGS}
    if path.is_file() and json.loads(path.read_text()) != settings:
        raise SystemExit(f"{path} says other settings than {settings}; give another folder: --runs")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(settings))


def train_encoder(runs: Path, *, maze: str) -> int:
    """The self-supervised encoder, from frames of the same data; one for all."""
    if (runs / ENCODER / "model").is_dir():
        return 0
    words = ["task=self-supervised", f"env=pixelmaze-{maze}", "seed=0", "threads=1", f"output={runs / ENCODER}"]
    return dfplan(["train", *words])


def train_arm(run: Path, arm: str, *, seed: int, arguments: argparse.Namespace) -> int:
    """One training; the exit status."""
    options = {name: arguments.runs / ENCODER if value == ENCODER else value for name, value in ARMS[arm].items()}
    every = arguments.steps[0]
    words = [
        "task=aligned-forcing",
        f"env=maze2d-{arguments.maze}",
        f"task.camera=pixelmaze-{arguments.maze}-v1",
        f"task.depth={DEPTH}",
        *(f"task.{name}={value}" for name, value in options.items()),
        "resynthesis=none",
        "windows.held_steps=0",
        f"training.num_steps={arguments.steps[-1]}",
        f"training.checkpoint_every={every}",
        f"training.validate_every={every}",
        "training.keep_checkpoints=1000",
        "training.batch_size=32",
        "model.width=64",
        "training.warmup_steps=50",
        "training.compiled=false",
        f"seed={seed}",
        "threads=1",
        *arguments.set,
    ]
    return dfplan(["train", *words, f"output={run}"])


def measured(run: Path, arm: str, *, seed: int, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """All measures of a training at each number of steps."""
    env_id = f"pixelmaze-{arguments.maze}-v1"
    trajectories = load_trajectories("generated", env_id=env_id, cache_folder=dataset_folder(), say=lambda line: None)
    # The probe is fitted on rows that lie before those it is tried on.
    halves = hold_out(hold_out(trajectories, share=0.02)[1], share=0.5)
    encoder, camera = frozen_encoder(str(arguments.runs / ENCODER), seed=0), load_camera(env_id)
    episodes = [f"n_episodes={arguments.episodes}", f"n_envs={arguments.episodes}", "seed=1000", "threads=1"]
    rows = []
    for step in arguments.steps:
        with tempfile.TemporaryDirectory() as folder:
            model = model_at(run, step, folder=Path(folder))
            rows.append(
                {
                    "arm": arm,
                    "seed": seed,
                    "step": step,
                    "denoising_loss": validation_loss(run, step),
                    **representation(
                        model, [held_out_windows(half, model) for half in halves], encoder=encoder, camera=camera
                    ),
                    "scores": score(Path(folder), env=f"maze2d-{arguments.maze}", words=[*PLANNER, *episodes]),
                    "commit": model.metadata["provenance"]["commit"],
                    "weights": describe_weights(Path(folder), model.metadata),
                }
            )
    return rows


def whole(runs: Path) -> Record:
    """The record of all measures that lie with the runs."""
    found = [json.loads(path.read_text()) for path in sorted(runs.glob("*/measures.json"))]
    rows = [row for each in found for row in each]
    settings = json.loads((runs / "settings.json").read_text())
    options = {arm: {"depth": DEPTH, **own} for arm, own in ARMS.items()}
    return {
        "question": "does representation alignment teach the planner faster",
        "level": LEVEL,
        "planner": PLANNER,
        "settings": settings,
        "arms": options,
        "config": json.loads((runs / "none-0" / "config.json").read_text()),
        "rows": rows,
    }


def pages() -> dict[Path, str]:
    """The README with the table of the newest result file."""
    from tables import render

    paths = sorted(RESULTS.glob("*.json"))
    before, rest = README.read_text().split(BEGIN)
    after = rest.split(END)[1]
    record: Mapping[str, Any] | None = json.loads(paths[-1].read_text()) if paths else None
    table = render(record, file=paths[-1].name, depth=DEPTH, success=SUCCESS) if record else "No result file yet."
    return {README: f"{before}{BEGIN}\n\n{table}\n\n{END}{after}"}


BENCHMARK = Benchmark(says=__doc__, folder=HERE, measure=results, options=options, episodes=64, pages=pages)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
