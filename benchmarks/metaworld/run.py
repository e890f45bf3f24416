"""What does one model a task, and one for ten, make of a hundred demonstrations? Data, trainings, evaluation."""

import argparse
import json
import sys
from pathlib import Path

import h5py

sys.path.append(str(Path(__file__).parents[1]))
from frame import Benchmark, Named
from records import Record
from worlds import CHOSEN, EPISODE_SEED, Row, add_options, measure, run

from dfplan.domains.metaworld.demonstrators import TWO_WAYS
from dfplan.domains.metaworld.environment import TASKS

HERE = Path(__file__).parent
TEN, MULTIMODAL = "ten", "-multimodal"
# Where nothing is said, one sample of the policy is carried out; beside it, the mean of those of many that earn most.
ROWS = {
    "dfplan": Row("dfplan"),
    "ranked": Row("dfplan", CHOSEN),
    "bc": Row("bc"),
}
NAMES = (*TASKS, *(task + MULTIMODAL for task in TWO_WAYS), TEN)


def options(parser: argparse.ArgumentParser) -> None:
    """What is to be measured."""
    parser.add_argument("names", nargs="+", choices=NAMES)
    parser.add_argument("--rows", nargs="+", default=["dfplan", "bc"], choices=list(ROWS))
    add_options(parser, runs=Path("runs/metaworld"))


def results(arguments: argparse.Namespace) -> Named:
    """One task after the other."""
    for name in arguments.names:
        yield name, measure_one(name, arguments)


def measure_one(name: str, arguments: argparse.Namespace) -> Record:
    """Everything about one task and its data, which are made unless they are there."""
    task = name.removesuffix(MULTIMODAL)
    env_id, data = f"metaworld/{TEN if task == TEN else f'{task}-v3'}", arguments.runs / f"{name}.hdf5"
    if not data.exists():
        quality = "multimodal" if task != name else "expert"
        run("generate", f"env={env_id}", f"output={data}", f"quality={quality}")
    asked = vars(arguments) | {"episodes": arguments.episodes * (len(TASKS) if task == TEN else 1)}
    found = measure(
        name,
        env_id,
        str(data),
        argparse.Namespace(**asked),
        rows={row: ROWS[row] for row in arguments.rows},
        agents={"expert": ["agent=script"]},
    )
    figures = {f"{name}.{row}": each["success"] for row, each in found["rows"].items()}
    figures[f"{name}.policy"] = figures[f"{name}.dfplan"]
    if task == TEN:
        figures["one_model.dfplan"] = figures["ten.dfplan"]
    return {
        "question": "how often is a task done within 200 steps, in configurations that nothing was learned from?",
        "figures": figures,
        "data": how_made(data),
        **found,
    }


def how_made(data: Path) -> Record:
    """What a data set says of itself: noise, ways, how many episodes succeeded and failed."""
    with h5py.File(data) as file:
        return json.loads(str(file.attrs["metadata"]))


BENCHMARK = Benchmark(says=__doc__, folder=HERE, measure=results, options=options, episodes=50, seed=EPISODE_SEED)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
