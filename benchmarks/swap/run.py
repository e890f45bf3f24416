"""Are two blocks swapped by way of a third place, where the past alone says how far that is? By sight and by state."""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

sys.path.append(str(Path(__file__).parents[1]))
from frame import Benchmark, Named
from records import Record, between_marks, figures_of, load, newest_of_tasks, row, source
from worlds import EPISODE_SEED, add_options, run, successes, train

from dfplan.cli.build import describe_weights, select_device
from dfplan.cli.build_agents import build_named_agent
from dfplan.cli.compose import read_options, reading
from dfplan.domains.find import find_domain
from dfplan.models.bundle import load_bundle

HERE = Path(__file__).parent
SUMMARY, README = HERE / "summary.json", HERE / "README.md"
BEGIN, END = "<!-- measured: written by benchmarks/swap/run.py -->", "<!-- end of measured -->"
ENVS = {"sight": "pixel-swap", "state": "swap"}
NUM_STEPS, NOISE = 100_000, 0.1
HISTORY = ("recipe=history-arm",)
FRAMES = ("frames.stack=1", "frames.stride=1")
TOKENIZER = ("task=autoencoder", "task.pooled=32")
# An ordinary diffusion policy: the same network, and short windows that begin anywhere.
TRAININGS: Mapping[str, tuple[str, ...]] = {
    "memory": HISTORY,
    "memoryless": (*HISTORY, "windows.restart_share=0", "env.window_tokens=3"),
    "bc": ("task=behaviour-cloning",),
}
# What is played: which training, how, which share of the observations is noise, and whether the agent is told of it.
ROWS: Mapping[str, tuple[str, tuple[str, ...], float, bool]] = {
    "memory": ("memory", (), 0.0, True),
    "no_memory": ("memoryless", ("planner.history=0",), 0.0, True),
    "no_memory, one sample": ("memoryless", ("planner.history=0", "planner.num_candidates=1"), 0.0, True),
    "disturbed": ("memory", (), 0.25, True),
    "disturbed, not marked": ("memory", (), 0.25, False),
    "bc": ("bc", (), 0.0, False),
}


def options(parser: argparse.ArgumentParser) -> None:
    """What is to be measured."""
    parser.add_argument("tasks", nargs="*", choices=[*ENVS, []], help="none = both")
    add_options(parser, runs=Path("runs/swap"))


def results(arguments: argparse.Namespace) -> Named:
    """By sight, then by state."""
    data = arguments.runs / "swap.hdf5"
    if not data.exists():
        run("generate", "env=swap", f"num_steps={NUM_STEPS}", f"noise={NOISE}", f"output={data}")
    for task in arguments.tasks or ENVS:
        yield task, measure(task, data, arguments)


def measure(task: str, data: Path, arguments: argparse.Namespace) -> Record:
    """Everything about one way of seeing."""
    trained = [trainings(task, seed, data, arguments) for seed in arguments.trainings]
    rows: dict[str, Any] = {}
    for name in ROWS:
        success = np.stack([play(name, task, folders, arguments) for folders, _ in trained])
        models = [folders[ROWS[name][0]] / "model" for folders, _ in trained]
        rows[name] = {
            "success": successes(success),
            "each_success": success.mean(axis=1).tolist(),
            "weights": [describe_weights(model, load_bundle(model)[1]) for model in models],
        }
        print(task, name, rows[name]["success"], flush=True)
    prefix = "" if task == "sight" else f"{task}."
    return {
        "question": "two blocks are to change places by way of a third: how often does it end well?",
        "task": task,
        "data": {"steps": NUM_STEPS, "noise": NOISE, "seed": 0},
        "trained": {name: list(words) for name, words in TRAININGS.items()},
        "cpu_seconds_of_training": [costs for _, costs in trained],
        "rows": rows,
        "figures": {prefix + name: found["success"] for name, found in rows.items()},
    }


def trainings(
    task: str, seed: int, data: Path, arguments: argparse.Namespace
) -> tuple[dict[str, Path], dict[str, float]]:
    """Folders of what is trained with a seed, and the CPU seconds that each took."""
    folders, costs, seeing = {}, {}, list[str]()
    common = [f"env={ENVS[task]}", f"data={data}", f"seed={seed}"]
    tokenizer = {"tokenizer": TOKENIZER} if task == "sight" else {}
    for name, words in (tokenizer | TRAININGS).items():
        folders[name] = arguments.runs / f"{task}-{name}-{seed}"
        costs[name] = train(folders[name], [*common, *words, *seeing, *arguments.set])
        if name == "tokenizer":
            seeing = [f"frames.tokenizer={folders[name]}", *FRAMES]
    return folders, costs


def play(name: str, task: str, folders: Mapping[str, Path], arguments: argparse.Namespace) -> np.ndarray:
    """Which episodes end well, ``(episodes,)``; they are the same for every row."""
    training, words, share, is_marked = ROWS[name]
    with reading(None, "eval"):
        config = read_options("eval", [f"env={ENVS[task]}", f"weights={folders[training]}", *words])
    domain, device = find_domain(config.env.id), select_device("cpu", threads=1)
    agent: Any = build_named_agent(config, domain, device=device, say=print).agent
    numbers = range(arguments.episodes)
    seeds = [np.random.SeedSequence([arguments.seed, number]).generate_state(2).tolist() for number in numbers]
    envs = [gymnasium.make(f"dfplan_envs:{config.env.id}", disturbed_share=share) for _ in seeds]
    begun = [env.reset(seed=own) for env, (own, _) in zip(envs, seeds, strict=True)]
    seen = np.stack([domain.observation(observed) for observed, _ in begun])
    noisy = np.array([float(info["disturbed"]) for _, info in begun])
    success, over = np.zeros(len(envs), bool), np.zeros(len(envs), bool)
    agent.reset(seeds=[own for _, own in seeds], goals=None)
    while not over.all():
        actions = agent.act(seen, levels=noisy) if is_marked else agent.act(seen)
        for number in np.flatnonzero(~over).tolist():
            observed, _, terminated, truncated, info = envs[number].step(actions[number])
            seen[number], noisy[number] = domain.observation(observed), float(info["disturbed"])
            success[number], over[number] = info["is_success"], terminated or truncated
    return success


def table(records: Mapping[str, Record]) -> str:
    """A line for each row, by sight and by state."""
    lines = [
        row("", *(f"by {task}, success %" for task in records), *(f"of each training, by {task}" for task in records))
    ]
    lines.append("|---|" + "---:|" * 2 * len(records))
    for name in ROWS:
        found = [record["rows"][name] for record in records.values()]
        told = [percent(each["success"]) for each in found]
        lines.append(
            row(name, *told, *(", ".join(f"{100 * share:.0f}" for share in each["each_success"]) for each in found))
        )
    return "\n".join(lines) + "\n\n" + "  \n".join(f"by {task}: {source(record)}" for task, record in records.items())


def percent(found: Record) -> str:
    """Percent and its interval."""
    mean, low, high = (100 * found[name] for name in ("mean", "low", "high"))
    return f"{mean:.1f} [{low:.1f}, {high:.1f}]"


def pages() -> dict[Path, str]:
    """The figures, and the README with their table."""
    found = load(HERE / "results")
    newest = newest_of_tasks(found)
    records = {task: newest[task] for task in ENVS if task in newest}
    text = table(records) if records else "Nothing is measured yet."
    readme = between_marks(README.read_text(), text, begin=BEGIN, end=END)
    return {SUMMARY: json.dumps(figures_of(found), indent=1) + "\n", README: readme}


BENCHMARK = Benchmark(
    says=__doc__, folder=HERE, measure=results, options=options, episodes=100, seed=EPISODE_SEED, pages=pages
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
