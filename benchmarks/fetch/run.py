"""What is a planner worth where a hand moves blocks? Data by a script, trainings, evaluation by public commands."""

import argparse
import sys
from hashlib import sha256
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))
from frame import Benchmark, Named
from records import Record
from worlds import EPISODE_SEED, ROWS, SCRIPTED_GOALS, TRAININGS, add_options, measure, run

HERE = Path(__file__).parent
STEPS = 200_000  # of data: of 50,000 a block is pushed to its goal a little less often
TASKS = {
    "reach": "FetchReach-v4",
    "push": "FetchPush-v4",
    "pick-and-place": "FetchPickAndPlace-v4",
    "slide": "FetchSlide-v4",
}


def options(parser: argparse.ArgumentParser) -> None:
    """What is to be measured."""
    parser.add_argument("tasks", nargs="+", choices=list(TASKS))
    names = ("expert", *ROWS)
    parser.add_argument("--rows", nargs="+", choices=names, metavar="ROW", help=f"some of {', '.join(names)}")
    add_options(parser, runs=Path("runs/fetch"))


def results(arguments: argparse.Namespace) -> Named:
    """One task after the other."""
    for name in arguments.tasks:
        yield "_".join([name, *(arguments.rows or ())]), measure_task(name, arguments)


def measure_task(name: str, arguments: argparse.Namespace) -> Record:
    """Everything about one task: data are made unless they are there."""
    env_id, data = TASKS[name], arguments.runs / f"{name}.hdf5"
    if not data.exists():
        run("generate", f"env={env_id}", f"num_steps={STEPS}", f"output={data}")
    trainings = {title: own if title == "bc" else (*own, *SCRIPTED_GOALS) for title, own in TRAININGS.items()}
    asked = arguments.rows or ("expert", *ROWS)
    rows = {title: row for title, row in ROWS.items() if title in asked}
    expert = {"expert": ["agent=script"]} if "expert" in asked else {}
    found = measure(name, env_id, str(data), arguments, trainings=trainings, rows=rows, agents=expert)
    return {
        "question": "from data of a script with noise: how often is the goal reached at the end of an episode?",
        "data_sha256": sha256(data.read_bytes()).hexdigest(),
        "figures": {f"{name}.{title}": row["success"] for title, row in found["rows"].items()},
        **({"part": " ".join(arguments.rows)} if arguments.rows else {}),
        **found,
    }


BENCHMARK = Benchmark(says=__doc__, folder=HERE, measure=results, options=options, episodes=100, seed=EPISODE_SEED)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
