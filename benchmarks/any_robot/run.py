"""What is a planner of any robot worth? Makes data by hand, trains and evaluates by public commands, keeps results."""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from demonstrations import ROBOTS, HandAgent, Robot, collect, returns_of

from dfplan.data.formats import read, write
from dfplan.evaluation.metrics import crossed_interval, mean_interval, wilson_interval
from dfplan.evaluation.report import circumstances
from dfplan.evaluation.rollout import evaluate_agent

sys.path.append(str(Path(__file__).parents[1]))
from records import add_record, refuse_uncommitted

HERE = Path(__file__).parent
DATA_SEED = 0
TRAININGS = {"dfplan": [], "bc": ["task=behaviour-cloning"]}
# What is evaluated: a training, and how it plans; nothing is what the command line does where nothing is said.
ROWS: dict[str, tuple[str, list[str]]] = {
    "dfplan": ("dfplan", []),
    "one sample": (
        "dfplan",
        ["planner.num_candidates=1", "planner.roll_out=false", "planner.temperature=0"],
    ),
    "bc": ("bc", []),
}
SUCCEEDS = {"fetch-reach"}  # robots of which the share of successes is the figure, not the return


def main() -> int:
    """Measure the robots one after the other; each leaves a dated file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("robots", nargs="+", choices=list(ROBOTS))
    parser.add_argument("--trainings", type=int, nargs="+", default=[0, 1, 2], metavar="SEED")
    parser.add_argument("--episodes", type=int, default=100, help="of each row and training (default 100)")
    parser.add_argument("--seed", type=int, default=1000, help="of the episodes; nothing was ever tuned on 1000")
    parser.add_argument("--runs", type=Path, default=Path("runs/any_robot"), help="where data and trainings are kept")
    parser.add_argument("--set", nargs="*", default=[], metavar="key=value", help="more options of `dfplan train`")
    parser.add_argument("--note", default="", help="what else the machine was doing")
    parser.add_argument("--uncommitted", action="store_true", help="measure though tracked files are not committed")
    arguments = parser.parse_args()
    refuse_uncommitted(parser, allowed=arguments.uncommitted)
    for name in arguments.robots:
        record = measure(name, ROBOTS[name], arguments)
        print(add_record(record, path=HERE / "results" / f"{datetime.now(UTC):%Y-%m-%d-%H%M}_{name}.json"))
    return 0


def measure(name: str, robot: Robot, arguments: argparse.Namespace) -> dict[str, Any]:
    """Everything about one robot."""
    data = make_data(name, robot, folder=arguments.runs)
    costs = {
        f"{training} {seed}": train(
            arguments.runs / f"{name}-{training}-{seed}",
            [f"env={robot.env_id}", f"data={data}", f"seed={seed}", *words, *arguments.set],
        )
        for seed in arguments.trainings
        for training, words in TRAININGS.items()
    }
    rows = {"data": of_data(data), "expert": of_expert(robot, arguments)}
    for row, (training, words) in ROWS.items():
        records = [
            evaluate(
                [
                    f"env={robot.env_id}",
                    f"weights={arguments.runs / f'{name}-{training}-{seed}'}",
                    f"n_episodes={arguments.episodes}",
                    f"seed={arguments.seed}",
                    *words,
                ]
            )
            for seed in arguments.trainings
        ]
        rows[row] = of_records(records)
        print(f"{name}, {row}: {rows[row]['return']}", flush=True)
    return {
        "question": "from data of mixed quality: what do planning, one sample and behaviour cloning earn?",
        "robot": name,
        "env_id": robot.env_id,
        "hand": {"weights": robot.weights, "largest_disturbance": robot.largest_disturbance},
        "data_seed": DATA_SEED,
        "episode_seed": arguments.seed,
        "episodes": arguments.episodes,
        "options": arguments.set,
        "note": arguments.note,
        "cpu_seconds_of_training": costs,
        "rows": rows,
        "figures": figures(name, rows),
        **circumstances(),
    }


def make_data(name: str, robot: Robot, *, folder: Path) -> str:
    """What ``data=`` names: a Minari data set, made and looked over unless it is there already."""
    os.environ["MINARI_DATASETS_PATH"] = str(folder.absolute() / "minari")
    source = f"minari:any-robot/{name}-v0"
    if not (folder / "minari" / "any-robot" / f"{name}-v0").exists():
        write(collect(robot, num_episodes=robot.num_episodes, seed=DATA_SEED), source)
        run("inspect", f"data={source}")
    return source


def figures(name: str, rows: dict[str, Any]) -> dict[str, Any]:
    """What summary.json has of a robot."""
    if name in SUCCEEDS:
        return {f"{name}.success": rows["dfplan"]["success"]}
    return {f"{name}.{row}": rows[row]["return"] for row in TRAININGS}


def run(*words: str) -> None:
    """One command of dfplan, as anybody calls it."""
    subprocess.run([sys.executable, "-m", "dfplan.cli.main", *words], check=True)


def train(folder: Path, words: list[str]) -> float:
    """CPU seconds of a training; of one that is there already, what it took."""
    cost = folder / "cpu_seconds.json"
    if not cost.exists():
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run("train", *words, "threads=1", f"output={folder}")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        cost.write_text(json.dumps(round(spent, 1)))
    return json.loads(cost.read_text())


def evaluate(words: list[str]) -> dict[str, Any]:
    """The record of one evaluation."""
    with tempfile.TemporaryDirectory() as folder:
        run("eval", *words, "threads=1", f"output={folder}/out")
        return json.loads((Path(folder) / "out" / "results.json").read_text())


def of_records(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns, and successes where the environment tells them, of the same episodes by each training."""
    returns = np.array([[each["return"] for each in record["episodes"]] for record in records])
    row: dict[str, Any] = {
        "return": interval(returns),
        "of_each_training": [float(each.mean()) for each in returns],
        "returns": returns.round(4).tolist(),
        "plan_seconds": [record["plan_seconds"] for record in records],
        "weights": [record["weights"] for record in records],
        "config": records[0]["config"],
    }
    if "success_rate" in records[0]["metrics"]:
        success = np.array([[each["success"] for each in record["episodes"]] for record in records])
        row["success"] = successes(success)
    return row


def of_expert(robot: Robot, arguments: argparse.Namespace) -> dict[str, Any]:
    """The undisturbed hand in the same episodes."""
    agent = HandAgent(robot)
    found = evaluate_agent(
        agent, agent.domain.protocol(), num_episodes=arguments.episodes, num_envs=10, seed=arguments.seed
    )
    row: dict[str, Any] = {"return": interval(found.returns[None])}
    if found.success is None:
        return row
    return row | {"success": successes(np.array([each[-1] for each in found.success]))}


def of_data(source: str) -> dict[str, Any]:
    """What the data earned."""
    returns = np.sort(returns_of(read(source)))
    return {"return": interval(returns[None]), "best_tenth": float(returns[-len(returns) // 10 :].mean())}


def interval(returns: np.ndarray) -> dict[str, Any]:
    """The mean of ``(trainings, episodes)`` for other trainings and other episodes; of one training, other episodes."""
    found = crossed_interval(returns) if min(returns.shape) > 1 else mean_interval(returns[0])
    return vars(found) | {"n": returns.size}


def successes(success: np.ndarray) -> dict[str, Any]:
    """The share of ``(trainings, episodes)`` bool, by Wilson's formula."""
    return vars(wilson_interval(success.reshape(-1))) | {"n": success.size}


if __name__ == "__main__":
    sys.exit(main())
