"""What is a planner worth where a hand moves blocks? Data by a script, trainings, evaluation by public commands."""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))
from records import Record, add_record, refuse_uncommitted
from worlds import SCRIPTED_GOALS, TRAININGS, add_options, measure, run

from dfplan.evaluation.report import circumstances

HERE = Path(__file__).parent
TASKS = {
    "reach": "FetchReach-v4",
    "push": "FetchPush-v4",
    "pick-and-place": "FetchPickAndPlace-v4",
    "slide": "FetchSlide-v4",
}


def main() -> int:
    """Measure the tasks one after the other; each leaves a dated file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", nargs="+", choices=list(TASKS))
    add_options(parser, runs=Path("runs/fetch"), episodes=100)
    arguments = parser.parse_args()
    refuse_uncommitted(parser, allowed=arguments.uncommitted)
    for name in arguments.tasks:
        record = measure_task(name, arguments)
        print(add_record(record, path=HERE / "results" / f"{datetime.now(UTC):%Y-%m-%d-%H%M}_{name}.json"))
    return 0


def measure_task(name: str, arguments: argparse.Namespace) -> Record:
    """Everything about one task: data are made unless they are there."""
    env_id, data = TASKS[name], arguments.runs / f"{name}.hdf5"
    if not data.exists():
        run("generate", f"env={env_id}", f"output={data}")
    trainings = {title: own if title == "bc" else (*own, *SCRIPTED_GOALS) for title, own in TRAININGS.items()}
    found = measure(name, env_id, str(data), arguments, trainings=trainings, agents={"expert": ["agent=script"]})
    return {
        "question": "from data of a script with noise: how often is the goal reached at the end of an episode?",
        "figures": {f"{name}.{title}": row["success"] for title, row in found["rows"].items()},
        **found,
        **circumstances(),
    }


if __name__ == "__main__":
    sys.exit(main())
