"""What is a planner of any robot worth? Makes data by hand, trains and evaluates by public commands, keeps results."""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from demonstrations import ROBOTS, Robot, collect, returns_of

from dfplan.data.formats import read, write
from dfplan.domains.gymnasium import GymnasiumDomain
from dfplan.domains.scripted.collect import always
from dfplan.domains.scripted.domain import ScriptAgent
from dfplan.evaluation.rollout import evaluate_agent

sys.path.append(str(Path(__file__).parents[1]))
from frame import Benchmark, Named
from worlds import EPISODE_SEED, ONE_SAMPLE, Row, add_options, interval, run, successes
from worlds import measure as measure_rows

HERE = Path(__file__).parent
DATA_SEED = 0
ROWS = {"dfplan": Row("dfplan"), "one sample": Row("dfplan", ONE_SAMPLE), "bc": Row("bc")}
SUCCEEDS = {"fetch-reach"}  # robots of which the share of successes is the figure, not the return


def options(parser: argparse.ArgumentParser) -> None:
    """What is to be measured."""
    parser.add_argument("robots", nargs="+", choices=list(ROBOTS))
    add_options(parser, runs=Path("runs/any_robot"))


def results(arguments: argparse.Namespace) -> Named:
    """One robot after the other."""
    for name in arguments.robots:
        yield name, measure(name, ROBOTS[name], arguments)


def measure(name: str, robot: Robot, arguments: argparse.Namespace) -> dict[str, Any]:
    """Everything about one robot."""
    data = make_data(name, robot, folder=arguments.runs)
    found = measure_rows(name, robot.env_id, data, arguments, rows=ROWS)
    found["rows"] = {"data": of_data(data), "expert": of_expert(robot, arguments)} | found["rows"]
    return {
        "question": "from data of mixed quality: what do planning, one sample and behaviour cloning earn?",
        "robot": name,
        "hand": {"weights": robot.weights, "largest_disturbance": robot.largest_disturbance},
        "data_seed": DATA_SEED,
        "figures": figures(name, found["rows"]),
        **found,
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
    return {f"{name}.{row}": rows[row]["return"] for row in ("dfplan", "bc")}


def of_expert(robot: Robot, arguments: argparse.Namespace) -> dict[str, Any]:
    """The undisturbed hand in the same episodes."""
    domain = GymnasiumDomain(robot.env_id)
    agent = ScriptAgent(always(robot.hand(np.array(robot.weights))), domain.spec.action_bounds)
    found = evaluate_agent(agent, domain.protocol(), num_episodes=arguments.episodes, num_envs=10, seed=arguments.seed)
    row: dict[str, Any] = {"return": interval(found.returns[None])}
    if found.success is None:
        return row
    return row | {"success": successes(np.array([each[-1] for each in found.success]))}


def of_data(source: str) -> dict[str, Any]:
    """What the data earned."""
    returns = np.sort(returns_of(read(source)))
    return {"return": interval(returns[None]), "best_tenth": float(returns[-len(returns) // 10 :].mean())}


BENCHMARK = Benchmark(says=__doc__, folder=HERE, measure=results, options=options, episodes=100, seed=EPISODE_SEED)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
