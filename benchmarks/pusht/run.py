"""How often does a T get onto its target, learned from people? Trainings and evaluation by public commands."""

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parents[1]))
from frame import Benchmark, Named
from records import Record
from worlds import EPISODE_SEED, Row, add_options, evaluate, interval, measure

from dfplan.data.formats import read
from dfplan.domains.pusht import ENV_ID
from dfplan.domains.pusht_demonstrations import scene_of
from dfplan.domains.pusht_scene import coverage

HERE = Path(__file__).parent
TRAININGS = {"dfplan": (), "bc": ("task=behaviour-cloning",)}
ROWS = {
    "dfplan": Row("dfplan"),
    "whole chunks": Row("dfplan", ("controller.replan_every=8",)),
    "bc": Row("bc"),
}
TIMED = 5  # episodes, one at a time, in which decisions are timed


def options(parser: argparse.ArgumentParser) -> None:
    """What is to be measured."""
    parser.add_argument("data", help="the demonstrations, as data= of `dfplan train`")
    add_options(parser, runs=Path("runs/pusht"))


def results(arguments: argparse.Namespace) -> Named:
    """The one task."""
    yield "pusht", measure_pusht(arguments)


def measure_pusht(arguments: argparse.Namespace) -> Record:
    """Everything: rows, what the demonstrations end in, and how long a decision takes alone."""
    found = measure("pusht", ENV_ID, arguments.data, arguments, trainings=TRAININGS, rows=ROWS)
    rows, weights = found["rows"], arguments.runs / f"pusht-dfplan-{arguments.trainings[0]}"
    alone = evaluate(
        [f"env={ENV_ID}", f"weights={weights}", f"n_episodes={TIMED}", "n_envs=1", f"seed={arguments.seed}"]
    )
    return {
        "question": "learned from people: how often is the T on its target, and how much of it is covered at best?",
        "figures": {
            "success": rows["dfplan"]["success"],
            "coverage": rows["dfplan"]["coverage"],
            "bc_success": rows["bc"]["success"],
        },
        "demonstrations": {"coverage_at_the_end": interval(ends(arguments.data)[None])},
        "plan_seconds_alone": alone["plan_seconds"],
        **found,
        "data": Path(arguments.data).name,
    }


def ends(source: str) -> np.ndarray:
    """Share of the target that is covered in the last state of each demonstration, ``(episodes,)``."""
    data = read(source)
    return coverage(scene_of(data)[data.starts[1:] - 1, 1:])


BENCHMARK = Benchmark(says=__doc__, folder=HERE, measure=results, options=options, episodes=100, seed=EPISODE_SEED)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
