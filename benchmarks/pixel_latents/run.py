"""How well does a planner do that sees through a diffusion autoencoder? Trains and evaluates by public commands."""

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.append(str(Path(__file__).parents[1]))
from frame import Benchmark, Named
from records import Record, between_marks, figures_of, load, newest_of_tasks, row, source
from worlds import EPISODE_SEED, add_options, evaluate, train

from dfplan.cli.build import select_device
from dfplan.cli.build_agents import build_named_agent
from dfplan.cli.compose import read_options, reading
from dfplan.domains.find import find_domain
from dfplan.evaluation.metrics import mean_interval, wilson_interval
from dfplan.models.tokenizers import load_tokenizer

HERE = Path(__file__).parent
SUMMARY, README = HERE / "summary.json", HERE / "README.md"
BEGIN, END = "<!-- measured: written by benchmarks/pixel_latents/run.py -->", "<!-- end of measured -->"
MAZES, PUSHT = ("medium", "large"), "pusht"
PUSHT_ENV = "env=pixel-pusht-v0"
# Resynthesised trajectories are drawn: as many as are looked at, so that none is driven in vain.
DRAWN = ("resynthesis.num_steps=500000",)
POOLED = 32  # numbers of a picture
TRAININGS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "maze": {
        "tokenizer": ("task=autoencoder", f"task.pooled={POOLED}"),
        "planner": ("recipe=latents",),
        "inverse": ("task=inverse-dynamics", *DRAWN),
        "cloning": ("task=behaviour-cloning", *DRAWN),
    },
    PUSHT: {
        "tokenizer": ("task=autoencoder", f"task.pooled={2 * POOLED}", "task.foreground_weight=10"),
        "planner": ("frames.stack=1", "frames.stride=1"),
        "cloning": ("task=behaviour-cloning", "frames.stack=1", "frames.stride=1"),
    },
}
OURS = "actions"  # the row whose figures are the benchmark's: said before anything was measured
PLANNED = ("planner.num_candidates=4", "planner.horizon=256")  # what a decision of 60 ms leaves room for
NUM_TIMED, NUM_FRAMES = 40, 512  # decisions and frames that are timed


def options(parser: argparse.ArgumentParser) -> None:
    """What is to be measured."""
    parser.add_argument("tasks", nargs="*", choices=[*MAZES, PUSHT, []], help="none = all of them")
    parser.add_argument("--pusht", type=Path, help="the demonstrations, as data= of `dfplan train`")
    add_options(parser, runs=Path("runs/pixel_latents"))


def results(arguments: argparse.Namespace) -> Named:
    """One task after the other."""
    for task in arguments.tasks or [*MAZES, PUSHT]:
        if task == PUSHT and arguments.pusht is None:
            arguments.refuse("pusht needs --pusht=<the demonstrations>")
        yield task, measure(task, arguments)


def measure(task: str, arguments: argparse.Namespace) -> Record:
    """Everything about one task."""
    is_maze = task in MAZES
    common = [f"env=pixelmaze-{task}"] if is_maze else [PUSHT_ENV, f"data={arguments.pusht}"]
    trained = [trainings(task, seed, common, arguments) for seed in arguments.trainings]
    asked = [f"n_episodes={arguments.episodes}", f"seed={arguments.seed}"] + (["goal=random"] if is_maze else [])
    score = "raw_return" if is_maze else "coverage"
    rows: dict[str, Any] = {
        name: of_rows([evaluate([common[0], *driven_by(name, task, folders), *asked]) for folders, _ in trained], score)
        for name in ((OURS, "inverse", "bc") if is_maze else (OURS, "bc"))
    }
    record: Record = {
        "question": "pictures through an autoencoder of diffusers: how often is the goal reached, and how well?",
        "task": task,
        "trained": {name: list(words) for name, words in TRAININGS["maze" if is_maze else task].items()},
        "cpu_seconds_of_training": [costs for _, costs in trained],
        "rows": rows,
        **alone(common[0], trained[0][0], asked=asked),
    }
    figures = {f"{task}.success": rows[OURS]["success"], f"{task}.bc.success": rows["bc"]["success"]}
    if is_maze:
        record["of_states"] = evaluate([f"env=maze2d-{task}", "controller=actions", *asked])["metrics"]
        share = rows[OURS]["raw_return"]["mean"] / record["of_states"]["raw_return"]["mean"]
        figures[f"{task}.return_share"] = share
    else:
        figures[f"{task}.coverage"] = rows[OURS]["coverage"]
    return record | {"figures": figures}


def driven_by(name: str, task: str, folders: Mapping[str, Path]) -> list[str]:
    """The words of a row for an evaluation, of what a seed trained."""
    if name == "bc":
        return [f"weights={folders['cloning']}"]
    inverse = [f"controller.inverse={folders['inverse']}"] if name == "inverse" else []
    return [f"weights={folders['planner']}", *([f"controller={name}", *PLANNED] if task in MAZES else []), *inverse]


def trainings(
    task: str, seed: int, common: Sequence[str], arguments: argparse.Namespace
) -> tuple[dict[str, Path], dict[str, float]]:
    """Folders of what is trained with a seed, and the CPU seconds that each took."""
    folders, costs, seeing = {}, {}, []
    for name, words in TRAININGS["maze" if task in MAZES else task].items():
        folders[name] = arguments.runs / f"{task}-{name}-{seed}"
        told = arguments.set if name == "planner" else []
        costs[name] = train(folders[name], [*common, *words, *seeing, f"seed={seed}", *told])
        seeing = [f"frames.tokenizer={folders['tokenizer']}"]
    return folders, costs


def of_rows(found: Sequence[Record], score: str) -> dict[str, Any]:
    """Success and score over the episodes of all trainings, and of each."""
    success = np.concatenate([[each["success"] for each in record["episodes"]] for record in found])
    scores = np.concatenate([[each[score] for each in record["episodes"]] for record in found])
    return {
        "success": vars(wilson_interval(success)) | {"n": len(success)},
        score: vars(mean_interval(scores)) | {"n": len(scores)},
        "each_success": [record["metrics"]["success_rate"]["mean"] for record in found],
        "weights": [record["weights"] for record in found],
    }


def alone(env: str, folders: Mapping[str, Path], *, asked: Sequence[str]) -> dict[str, Any]:
    """How long a decision by sight takes on one core, and how many pictures a second the tokenizer reads there."""
    drive = ["controller=actions", *PLANNED] if env != PUSHT_ENV else []
    with reading(None, "eval"):
        config = read_options("eval", [env, f"weights={folders['planner']}", *drive, *asked])
    domain, device = find_domain(config.env.id), select_device("cpu", threads=1)
    agent: Any = build_named_agent(config, domain, device=device, say=print).agent
    known = {name: getattr(config, name) for name in ("goal", "goal_given") if name in domain.options}
    planned: list[float] = []
    with domain.protocol(**known).begin(range(1), seed=config.seed) as running:
        told, now, heard = running.told_goals, running.begun, []
        agent.on_plan = heard.append
        agent.reset(seeds=running.agent_seeds, goals=told)
        while len(planned) < NUM_TIMED and not now.over.all():
            began, before = time.perf_counter(), len(heard)
            actions = agent.act(now.observations)
            if len(heard) > before:
                planned.append(time.perf_counter() - began)
            now = running.step(actions)
    tokenizer, _ = load_tokenizer(folders["planner"] / "model" / "tokenizer")
    frames = torch.randint(256, (NUM_FRAMES, *tokenizer.frame_shape), dtype=torch.uint8)
    tokenizer.encode(frames)
    began = time.process_time()
    tokenizer.encode(frames)
    return {
        "decision_ms": {f"p{share}": 1000 * float(np.quantile(planned, share / 100)) for share in (50, 95)},
        "frames_per_second": NUM_FRAMES / (time.process_time() - began),
    }


def table(records: Mapping[str, Record]) -> str:
    """A line for each way of acting in each task."""
    names = ("task", "acts by", "success %", "of each training", "return or coverage", "of states", "decision p95")
    lines = [row(*names, "frames/s"), "|---|---|" + "---:|" * 6]
    for task, record in records.items():
        for name, found in record["rows"].items():
            success, score = found["success"], found["raw_return" if task in MAZES else "coverage"]
            states = record["of_states"]["raw_return"]["mean"] if task in MAZES else None
            lines.append(
                row(
                    task,
                    name,
                    f"{100 * success['mean']:.0f} [{100 * success['low']:.0f}, {100 * success['high']:.0f}]",
                    ", ".join(f"{100 * each:.0f}" for each in found["each_success"]),
                    f"{score['mean']:.3g} [{score['low']:.3g}, {score['high']:.3g}]",
                    "–" if states is None else f"{states:.3g}",
                    f"{record['decision_ms']['p95']:.0f} ms",
                    f"{record['frames_per_second']:,.0f}",
                )
            )
    files = "  \n".join(f"{task}: {source(record)}" for task, record in records.items())
    return "\n".join(lines) + f"\n\n{files}"


def pages() -> dict[Path, str]:
    """The figures, and the README with their table."""
    found = load(HERE / "results")
    records = newest_of_tasks(found)
    records = {task: records[task] for task in (*MAZES, PUSHT) if task in records}
    text = table(records) if records else "Nothing is measured yet."
    readme = between_marks(README.read_text(), text, begin=BEGIN, end=END)
    return {SUMMARY: json.dumps(figures_of(found), indent=1) + "\n", README: readme}


BENCHMARK = Benchmark(
    says=__doc__, folder=HERE, measure=results, options=options, episodes=100, seed=EPISODE_SEED, pages=pages
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
