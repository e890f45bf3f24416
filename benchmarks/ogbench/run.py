"""How often does a planner come to far goals in OGBench's point mazes? Data, trainings, evaluation by commands."""

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parents[1]))
from frame import Benchmark, Named
from records import Record
from worlds import EPISODE_SEED, Row, add_options, measure, run

from dfplan.domains.ogbench.environment import KINDS, MAZES

HERE = Path(__file__).parent
WORLDS = {f"pointmaze-{maze}-{kind}": f"ogbench/pointmaze-{maze}-{kind}-v0" for kind in KINDS for maze in MAZES}
TRAININGS = {"dfplan": (), "bc": ("task=behaviour-cloning",)}
# One episode at a time, so that seconds are those that a robot would wait.
ROWS = {
    "dfplan": Row("dfplan", ("n_envs=1",)),
    "grid": Row("dfplan", ("n_envs=1", "agent=grid"), once=True),
    "bc": Row("bc"),
}


def options(parser: argparse.ArgumentParser) -> None:
    """What is to be measured."""
    parser.add_argument("names", nargs="+", choices=list(WORLDS), metavar="NAME", help=", ".join(WORLDS))
    parser.add_argument("--rows", nargs="+", default=list(ROWS), choices=list(ROWS))
    add_options(parser, runs=Path("runs/ogbench"))


def results(arguments: argparse.Namespace) -> Named:
    """One data set after the other."""
    for name in arguments.names:
        yield name, measure_one(name, arguments)


def measure_one(name: str, arguments: argparse.Namespace) -> Record:
    """Everything about one data set, which is made unless it is there."""
    env_id, data = WORLDS[name], arguments.runs / f"{name}.hdf5"
    if not data.exists():
        run("generate", f"env={env_id}", f"output={data}")
    rows = {row: ROWS[row] for row in arguments.rows}
    found = measure(name, env_id, str(data), arguments, trainings=TRAININGS, rows=rows)
    figures = {}
    for title, row in found["rows"].items():
        own = name if title == "dfplan" else f"{name}.{title}"
        figures[own] = row["success"]
        seconds = [each["an_episode"] for each in row["plan_seconds"]]
        if None not in seconds:
            median = float(np.median(seconds))
            row["seconds_an_episode"] = {"median": median, "low": min(seconds), "high": max(seconds)}
            figures[f"{own}.seconds_an_episode"] = median
    return {
        "question": "from data that anybody can make: how often is the goal of one of five far tasks reached?",
        "figures": figures,
        **found,
    }


BENCHMARK = Benchmark(says=__doc__, folder=HERE, measure=results, options=options, episodes=100, seed=EPISODE_SEED)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
