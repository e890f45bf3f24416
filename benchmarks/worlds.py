"""What benchmarks of worlds share: trainings and evaluations by public commands, one row for each way of acting.

A *world* is a family of environments; a *task* is one environment with one data set. Trained things are kept in
``runs/`` and not trained again; what they cost is kept beside them.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from crossed import crossed_interval
from records import Record

from dfplan.evaluation.metrics import mean_interval, wilson_interval

EPISODE_SEED = 1000  # nothing was ever tuned on its episodes
DFPLAN = ("-m", "dfplan.cli.main")
D3RLPY = (str(Path(__file__).with_name("offline_rl.py")),)  # what takes the same words, of what dfplan does not train
# Candidates are rolled out in the same weights as a world model, and count by what they are predicted to earn.
CHOSEN = ("planner.num_candidates=16", "planner.roll_out=true", "planner.temperature=0.1")
ONE_SAMPLE = ("planner.num_candidates=1", "planner.roll_out=false", "planner.temperature=0")


@dataclass(frozen=True)
class Row:
    """A way of acting: weights of a training, and options of ``dfplan eval``.

    Attributes:
        training: by its name.
        options: as they are.
        others: further trainings by the option that names their folder.
        once: of the first training alone, as nothing that was trained is asked: others would count episodes twice.
    """

    training: str
    options: tuple[str, ...] = ()
    others: Mapping[str, str] = field(default_factory=dict)
    once: bool = False


OFFLINE_RL = ("td3_bc", "iql", "cql")  # by d3rlpy, in as many minutes of a processor as our training takes
# Options of `dfplan train` for a planner: data of several policies; goals that are where a script ended, most of them
# where it was to go, as those on the way say where a block does not move yet.
MIXED_POLICIES = ("value=advantage", "windows.collected_share=0.3")
SCRIPTED_GOALS = ("windows.segment_goal_share=1", "training.num_steps=9000")
# By name the options of `dfplan train`. A diffusion policy has one level of noise for a whole window, all of whose
# tokens see each other, and knows no actions before it denoises them (Chi et al. 2023).
TRAININGS: Mapping[str, tuple[str, ...]] = {
    "dfplan": (),
    "bc": ("task=behaviour-cloning",),
    **{name: (f"algorithm={name}", "cpu_minutes=4") for name in OFFLINE_RL},
    "diffusion_policy": (
        "model.causal=false",
        "diffusion.levels=shared",
        "diffusion.actions_apart=0",
        "diffusion.actions_known=0",
    ),
}
# As the command line has it where nothing is said; the same weights as a policy; peers.
ROWS: Mapping[str, Row] = {
    "dfplan": Row("dfplan"),
    "policy": Row("dfplan", ONE_SAMPLE),
    "diffusion_policy": Row("diffusion_policy", (*ONE_SAMPLE, "planner.pyramid_offset=0")),
    "bc": Row("bc"),
}
# A whole window is a plan, led by what it is to earn and the value at its end, and the best of them is taken, by the
# same (Janner et al. 2022).
DIFFUSER = (
    "planner.roll_out=false",
    "planner.temperature=0",
    "planner.pyramid_offset=0",
    "planner.horizon=12",
    "planner.guidance.reward=30",
    "controller.replan_every=2",
)

# Rivals where rewards are all there is to plan for.
PEERS: Mapping[str, Row] = {
    "rolled_out": Row("dfplan", (*CHOSEN, "controller.replan_every=2")),
    "diffuser": Row("diffusion_policy", DIFFUSER),
    **{name: Row(name) for name in OFFLINE_RL},
}


def add_options(parser: argparse.ArgumentParser, *, runs: Path) -> None:
    """The options of every such benchmark."""
    parser.add_argument("--trainings", type=int, nargs="+", default=[0, 1, 2], metavar="SEED")
    parser.add_argument("--runs", type=Path, default=runs, help="where data and trainings are kept")
    parser.add_argument("--set", nargs="*", default=[], metavar="key=value", help="more options of `dfplan train`")


def run(*words: str, program: Sequence[str] = DFPLAN) -> None:
    """One command of dfplan, as anybody calls it, or of what takes the same words."""
    subprocess.run([sys.executable, *program, *words], check=True)


def program_of(training: str) -> Sequence[str]:
    """What trains and evaluates it."""
    return D3RLPY if training in OFFLINE_RL else DFPLAN


def train(folder: Path, words: Sequence[str], *, program: Sequence[str] = DFPLAN) -> float:
    """CPU seconds of a training; of one that is there already, what it took."""
    cost = folder / "cpu_seconds.json"
    if not cost.exists():
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run("train", *words, "threads=1", f"output={folder}", program=program)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        cost.write_text(json.dumps(round(spent, 1)))
    return json.loads(cost.read_text())


def evaluate(words: Sequence[str], *, program: Sequence[str] = DFPLAN) -> Record:
    """The record of one evaluation."""
    with tempfile.TemporaryDirectory() as folder:
        run("eval", *words, "threads=1", "report=false", f"output={folder}/out", program=program)
        return json.loads((Path(folder) / "out" / "results.json").read_text())


def measure(
    name: str,
    env_id: str,
    data: str,
    arguments: argparse.Namespace,
    *,
    trainings: Mapping[str, Sequence[str]] = TRAININGS,
    rows: Mapping[str, Row] = ROWS,
    agents: Mapping[str, Sequence[str]] | None = None,
) -> Record:
    """Train what is missing for a task, and evaluate every row in the same episodes.

    Args:
        name: of the task; trainings are kept in folders that begin with it.
        env_id: Gymnasium id.
        data: what ``data=`` names.
        arguments: of :func:`add_options`.
        trainings: options of ``dfplan train`` by name.
        rows: by name.
        agents: options of ``dfplan eval`` by the name of a row that needs no training, such as an expert's.

    Returns:
        ``cpu_seconds_of_training``, ``rows`` and what was asked for.
    """
    needed = {training for row in rows.values() for training in (row.training, *row.others.values())}
    costs = {
        f"{training} {seed}": train(
            arguments.runs / f"{name}-{training}-{seed}",
            [f"env={env_id}", f"data={data}", f"seed={seed}", *words, *arguments.set],
            program=program_of(training),
        )
        for seed in arguments.trainings
        for training, words in trainings.items()
        if training in needed
    }
    asked = [f"env={env_id}", f"n_episodes={arguments.episodes}", f"seed={arguments.seed}"]
    found = {row: of_records([evaluate([*asked, *words])]) for row, words in (agents or {}).items()}
    for title, row in rows.items():
        several = words_of(row, name, arguments=arguments)
        found[title] = of_records([evaluate([*asked, *words], program=program_of(row.training)) for words in several])
        print(f"{name}, {title}: {found[title].get('success', found[title]['return'])}", flush=True)
    return {
        "task": name,
        "env_id": env_id,
        "episode_seed": arguments.seed,
        "episodes": arguments.episodes,
        "options": arguments.set,
        "options_of_trainings": {training: list(words) for training, words in trainings.items() if training in needed},
        "cpu_seconds_of_training": costs,
        "trainings_of_rows": {title: row.training for title, row in rows.items()},
        "rows": found,
    }


def words_of(row: Row, name: str, *, arguments: argparse.Namespace) -> Iterator[list[str]]:
    """Options of ``dfplan eval`` for a row of a task, by each training."""
    for seed in arguments.trainings[: 1 if row.once else None]:
        folders = {"weights": row.training, **row.others}
        named = [f"{option}={arguments.runs}/{name}-{training}-{seed}" for option, training in folders.items()]
        yield [*named, *row.options]


def of_records(records: Sequence[Record]) -> Record:
    """Returns, and successes and D4RL scores where there are any, of the same episodes by each training."""
    row: Record = {
        "plan_seconds": [record["plan_seconds"] for record in records],
        "weights": [record["weights"] for record in records],
        "config": records[0]["config"] | {"weights": Path(records[0]["config"]["weights"]).name},  # wherever it is kept
    }
    returns = np.array([[each["return"] for each in record["episodes"]] for record in records])
    row |= {
        "return": interval(returns),
        "of_each_training": [float(each.mean()) for each in returns],
        "returns": returns.round(4).tolist(),
    }
    if "d4rl_reference" in records[0]:
        random, expert = (records[0]["d4rl_reference"][name] for name in ("random", "expert"))
        row["score"] = interval(100 * (returns - random) / (expert - random))
    if "success_rate" in records[0]["metrics"]:
        success = np.array([[each["success"] for each in record["episodes"]] for record in records])
        row["success"] = successes(success)
        row["success_of_each_training"] = [float(each.mean()) for each in success]
    if "coverage" in records[0]["metrics"]:
        row["coverage"] = interval(np.array([[each["coverage"] for each in record["episodes"]] for record in records]))
    return row


def interval(values: np.ndarray) -> dict[str, Any]:
    """The mean of ``(trainings, episodes)`` for other trainings and other episodes; of one training, other episodes."""
    found = crossed_interval(values) if min(values.shape) > 1 else mean_interval(values[0])
    return vars(found) | {"n": values.size}


def successes(success: np.ndarray) -> dict[str, Any]:
    """The share of ``(trainings, episodes)`` bool; of several trainings the wider of two intervals.

    Wilson's takes all for independent, though each training meets the same episodes; one for other trainings and other
    episodes has no width where all succeed.
    """
    wilson = wilson_interval(success.reshape(-1))
    if success.ndim < 2 or min(success.shape) < 2:
        return vars(wilson) | {"n": success.size}
    wider = crossed_interval(success.astype(np.float64))
    low, high = max(0.0, min(wilson.low, wider.low)), min(1.0, max(wilson.high, wider.high))
    return {"mean": wilson.mean, "low": low, "high": high, "n": success.size}
