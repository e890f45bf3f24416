"""Does a planner get better at goals that its data lack by practising them, round after round? Data, rounds, rivals."""

import argparse
import json
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from arm import front_reaches, short_reaches

import dfplan
from dfplan.cli.commands.evolve import NOTED, PRACTISED
from dfplan.cli.commands.record import as_trajectories
from dfplan.cli.main import main as command
from dfplan.data.formats import write
from dfplan.domains.find import find_domain
from dfplan.evaluation.rollout import evaluate_agent

sys.path.append(str(Path(__file__).parents[1]))
from frame import Benchmark, Named
from records import Record, between_marks, figures_of, load, newest_of_tasks, row, source
from worlds import EPISODE_SEED, successes

HERE = Path(__file__).parent
SUMMARY, README = HERE / "summary.json", HERE / "README.md"
BEGIN, END = "<!-- measured: written by benchmarks/self_evolution/run.py -->", "<!-- end of measured -->"
# By name the environment, which this process has imported, the data, and the steps of a training.
WORLDS = {
    "short": ("Arm-v0", partial(short_reaches, 1000, seed=0), 1000),
    "front": ("ArmFront-v0", partial(front_reaches, 300, seed=0), 1500),
}
ROUNDS = 3
TRAINED = ("model.width=48", "training.validate_every=0", "threads=1")
EVOLVED = ("n_episodes=100",)
# What is learned from beside the data, in as many steps: what the planner itself did, nothing, what chance did.
ROWS = {"practice": (), "old_data": ("share=0",), "random": ("keep=all",)}
SAID = {
    "practice": "what the planner did and came to its goal by",
    "old_data": "nothing: as many steps on the data alone",
    "random": "as many steps of actions at random, goals in hindsight",
}
HELD = 10  # steps for which a random action is held


class AtRandom:
    """Actions that are drawn anew every :data:`HELD` steps."""

    on_plan = None

    def __init__(self, low: np.ndarray, high: np.ndarray) -> None:
        self.low, self.high = low, high

    def reset(self, *, seeds: Sequence[int], goals: np.ndarray | None) -> None:
        """Begin."""
        self.generators, self.step = [np.random.default_rng(seed) for seed in seeds], 0

    def act(self, observations: np.ndarray) -> np.ndarray:
        """Anything."""
        if self.step % HELD == 0:
            self.actions = np.stack([each.uniform(self.low, self.high) for each in self.generators])
        self.step += 1
        return self.actions


def options(parser: argparse.ArgumentParser) -> None:
    """What is to be measured."""
    parser.add_argument("--trainings", type=int, nargs="+", default=[0, 1, 2], metavar="SEED")
    parser.add_argument("--worlds", nargs="+", default=list(WORLDS), choices=list(WORLDS))
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=list(ROWS), help="practice before random")
    parser.add_argument("--runs", type=Path, default=Path("runs/self_evolution"), help="where all is kept")


def results(arguments: argparse.Namespace) -> Named:
    """One world after the other."""
    for world in arguments.worlds:
        yield world, measure(world, arguments, runs=arguments.runs / world)


def measure(world: str, arguments: argparse.Namespace, *, runs: Path) -> Record:
    """Train what is missing, evolve it in every way, and read the curves."""
    env, reaches, steps = WORLDS[world]
    trained, data = (*TRAINED, f"training.num_steps={steps}"), runs / "data.hdf5"
    curves = {name: list[list[Record]]() for name in arguments.rows}
    if not data.exists():
        runs.mkdir(parents=True, exist_ok=True)
        write(reaches(), data)
    for seed in arguments.trainings:
        begun = runs / f"trained-{seed}"
        if not (begun / "model").exists():
            dfplan.train(data, env=env, seed=seed, output=begun, options=trained)
        shared = [f"env={env}", f"weights={begun}", f"data={data}", f"seed={seed}", "threads=1", *EVOLVED]
        shared += [f"eval_episodes={arguments.episodes}", f"eval_seed={arguments.seed}"]
        for name, found in curves.items():
            found.append(evolve(name, shared, runs / f"{name}-{seed}", env=env, like=runs / f"practice-{seed}"))
    rows = {name: summarize(found) for name, found in curves.items()}
    return {
        "question": "does practising goals that the data lack make a planner reach more of them?",
        "task": world,
        "trained": list(trained),
        "evolved": {name: [*EVOLVED, *ROWS[name]] for name in rows},
        "trainings": arguments.trainings,
        "rows": rows,
        "figures": {
            ("" if world == "short" else f"{world}.")
            + ("" if name == "practice" else f"{name}.")
            + f"round_{number}.success": each
            for name, found in rows.items()
            for number, each in enumerate(found["success"])
        },
    }


def evolve(name: str, words: Sequence[str], folder: Path, *, env: str, like: Path) -> list[Record]:
    """The rounds of an evolution, which goes on where it was left; chance makes as many steps as in ``like``."""
    if not folder.exists():
        say("evolve", *words, *ROWS[name], "rounds=0", f"output={folder}")
    if name == "random":
        for number in range(1, ROUNDS + 1):
            practise_at_random(folder / f"round_{number}", env, seed=number, like=like / f"round_{number}" / NOTED)
    say("evolve", f"resume={folder}", f"rounds={ROUNDS}")
    return json.loads((folder / "curve.json").read_text())["rounds"]


def say(*words: str) -> None:
    """Run a command in this process; end with its exit status if it fails."""
    if status := command(list(words)):
        sys.exit(status)


def practise_at_random(folder: Path, env: str, *, seed: int, like: Path) -> None:
    """What a round learns from, in place of what the planner would do: as many steps, or an episode's more."""
    if (folder / NOTED).exists():
        return
    domain = find_domain(env)
    steps, bounds = json.loads(like.read_text())["steps_kept"], domain.spec.action_bounds
    episodes = max(1, -(-steps // domain.spec.episode_steps))
    rollouts = evaluate_agent(
        AtRandom(bounds.low, bounds.high),
        domain.protocol(),
        num_episodes=episodes,
        num_envs=episodes,
        seed=7000 + seed,
    )
    folder.mkdir(parents=True, exist_ok=True)
    write(as_trajectories(rollouts, domain), folder / PRACTISED)
    kept = sum(map(len, rollouts.rewards))
    (folder / NOTED).write_text(json.dumps({"episodes": episodes, "arrived": 0, "steps_kept": kept}))


def summarize(curves: Sequence[Sequence[Record]]) -> dict[str, Any]:
    """Of every round, over the episodes of all trainings, and of each."""
    each = np.array([[one["each"] for one in rounds] for rounds in curves])  # trainings, rounds, episodes
    return {
        "success": [successes(each[:, number]) for number in range(each.shape[1])],
        "each": each.mean(axis=2).tolist(),
        "practised": [[one.get("practised") for one in rounds] for rounds in curves],
        "distance_from_data": curves[0][0]["distance_from_data"],
        "weights": [[one["weights"] for one in rounds] for rounds in curves],
    }


def pages() -> dict[Path, str]:
    """The figures, and the README with their tables."""
    records = [{"task": "short"} | record for record in load(HERE / "results")]  # the first said no task
    tables = "\n\n".join(table(record) for record in newest_of_tasks(records).values())
    readme = between_marks(README.read_text(), tables or "Nothing is measured yet.", begin=BEGIN, end=END)
    return {SUMMARY: json.dumps(figures_of(records), indent=1) + "\n", README: readme}


def table(record: Record) -> str:
    """A line for each of the ways to learn, a column for each round."""
    rounds = [f"round {number}" for number in range(ROUNDS + 1)]
    lines = [row(f"{record['task']}: learned from beside the data", *rounds, "last, of each training")]
    lines.append("|---|" + "---:|" * (ROUNDS + 2))
    for name, found in record["rows"].items():
        cells = [
            f"{100 * each['mean']:.1f} [{100 * each['low']:.1f}, {100 * each['high']:.1f}]" for each in found["success"]
        ]
        lines.append(row(SAID[name], *cells, ", ".join(f"{100 * each[-1]:.0f}" for each in found["each"])))
    return "\n".join(lines) + f"\n\n{source(record)}"


BENCHMARK = Benchmark(
    says=__doc__, folder=HERE, measure=results, options=options, episodes=100, seed=EPISODE_SEED, pages=pages
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
