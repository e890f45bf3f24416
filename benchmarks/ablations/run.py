"""Runs the ablations of rows.yaml, or with --training those of training_rows.yaml, and keeps one dated file a group."""

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from dfplan.cli.main import main as dfplan

sys.path.append(str(Path(__file__).parents[1]))
from frame import Benchmark, Named

HERE = Path(__file__).parent
SEED = 1000  # not among those that published scores are of
MEASURES = (
    "raw_return",
    "normalized_return",
    "latched_normalized_return",
    "success_rate",
    "first_touch_step",
    "planned_wall_share",
)
SHARED = ("seed", "n_episodes", "steps_per_episode", "device", "commit", "machine", "versions", "start_protocol")


@dataclass(frozen=True)
class Budget:
    """How much is run.

    Attributes:
        num_episodes: of each row in each situation.
        num_alone: episodes played one at a time, which give the planning time of a single environment.
        rows: how many rows of a group.
        situations: how many situations of a group.
        train: options of every training, such as how short it is.
    """

    num_episodes: int = 30
    num_alone: int = 2
    rows: int | None = None
    situations: int | None = None
    train: tuple[str, ...] = ()


# Every row is a few seconds of the same code path; what a quick run says about scores means nothing.
QUICK = Budget(
    num_episodes=2,
    num_alone=1,
    rows=2,
    situations=1,
    train=("training.num_steps=3", "training.batch_size=8", "training.compiled=false", "resynthesis.num_steps=5000"),
)


def options(parser: argparse.ArgumentParser) -> None:
    """What is to be measured."""
    parser.add_argument("groups", nargs="*", help="names of groups; none = all of them")
    parser.add_argument("--training", action="store_true", help="the ablations that train, at a small equal budget")
    parser.add_argument("--set", nargs="*", default=[], metavar="key=value", help="options of every evaluation")


def results(arguments: argparse.Namespace) -> Named:
    """The groups one after the other."""
    questions = load_questions(HERE / ("training_rows.yaml" if arguments.training else "rows.yaml"))
    unknown = set(arguments.groups) - set(questions["groups"])
    if unknown:
        arguments.refuse(f"no group {sorted(unknown)[0]!r}; there are {', '.join(questions['groups'])}")
    budget = QUICK if arguments.quick else Budget()
    words = [f"seed={arguments.seed}", "threads=1", *arguments.set]
    trained: dict[tuple[str, ...], dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.groups or questions["groups"]:
            record = run_group(
                name, questions=questions, budget=budget, words=words, folder=Path(folder), trained=trained
            )
            print_scores(record)
            yield name, record


def load_questions(path: Path) -> dict[str, Any]:
    """Read situations and groups of rows."""
    questions: Any = OmegaConf.to_container(OmegaConf.load(path))
    return {"train": [], **questions}


def run_group(
    name: str,
    *,
    questions: Mapping[str, Any],
    budget: Budget,
    words: Sequence[str],
    folder: Path,
    trained: dict[tuple[str, ...], dict[str, Any]],
) -> dict[str, Any]:
    """Evaluate every row of a group in each of its situations.

    A row that says how to train is trained first, unless ``trained`` holds that training already.
    """
    group = questions["groups"][name]
    budget = replace(budget, num_episodes=min(budget.num_episodes, group.get("episodes", budget.num_episodes)))
    rows = list(group["rows"].items())[: budget.rows]
    situations = group["situations"][: budget.situations]
    found: dict[str, Any] = {}
    measured = []
    for number, (row, options) in enumerate(rows):
        options = options if isinstance(options, dict) else {"eval": options}
        training: dict[str, Any] = {}
        if "train" in options:
            say = (*questions["train"], *options["train"], *budget.train)
            if say not in trained:
                trained[say] = train(say, folder / f"training-{len(trained)}")
            training = trained[say]
        weights = [f"weights={training['folder']}"] if training else []
        for situation in situations:
            say = [*questions["situations"][situation], *options.get("eval", []), *weights, *words]
            result, found = measure(say, budget=budget, folder=folder / f"{name}-{number}-{situation}")
            row_facts = {"row": row, "options": options, "situation": situation, "training": training.get("log")}
            measured.append(row_facts | result)
    check_paired(measured)
    for each in measured:
        del each["starts"]
    shared = {key: found[key] for key in SHARED}
    date = datetime.now(UTC).isoformat(timespec="seconds")
    return {"group": name, "question": group["question"], "date": date, **shared, "rows": measured}


def train(words: Sequence[str], folder: Path) -> dict[str, Any]:
    """Train a model; where it is, and what its log says at the end."""
    call("train", [*words, f"output={folder}"])
    log = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    last = {name: value for line in log for name, value in line.items()}
    return {"folder": folder, "log": last}


def measure(words: Sequence[str], *, budget: Budget, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Scores of one row in one situation and what they cost; and the record they come from."""
    record = evaluate([*words, f"n_episodes={budget.num_episodes}"], folder / "together")
    alone = evaluate([*words, f"n_episodes={budget.num_alone}", "n_envs=1"], folder / "alone")
    plans = record["plan_seconds"]["plans"]
    return {
        "metrics": {name: record["metrics"][name] for name in MEASURES},
        "scores": [round(each["normalized_return"], 3) for each in record["episodes"]],
        "starts": [(each["start"], each["goal"]) for each in record["episodes"]],
        "plans_per_episode": plans / record["n_episodes"],
        "plan_network": record["plan_network"],
        "plan_seconds_together": record["plan_seconds"],
        "plan_seconds_alone": alone["plan_seconds"],
        "weights": record["weights"],
    }, record


def evaluate(words: Sequence[str], folder: Path) -> dict[str, Any]:
    """The record of one `dfplan eval`."""
    call("eval", [*words, f"output={folder}"])
    return json.loads((folder / "results.json").read_text())


def call(command: str, words: Sequence[str]) -> None:
    """Run a command of dfplan without its answer on stdout.

    Raises:
        SystemExit: with its status; it said on stderr why.
    """
    with redirect_stdout(StringIO()):
        status = dfplan([command, *words])
    if status:
        print(f"dfplan {command} {' '.join(words)} ended with {status}", file=sys.stderr)
        raise SystemExit(status)


def check_paired(measured: Sequence[Mapping[str, Any]]) -> None:
    """Make sure that every row of a situation met the same starts and goals."""
    beginnings: dict[str, Any] = {}
    for each in measured:
        if beginnings.setdefault(each["situation"], each["starts"]) != each["starts"]:
            raise RuntimeError(f"{each['row']} met other episodes than the first row in {each['situation']}")


def print_scores(record: Mapping[str, Any]) -> None:
    """One line a row, to watch a long run by."""
    print(f"\n{record['group']}: {record['question']}")
    for each in record["rows"]:
        score, seconds = each["metrics"]["normalized_return"]["mean"], each["plan_seconds_alone"]["p50"]
        print(f"  {each['situation']:28} {each['row']:40} {score:7.1f}  {1000 * (seconds or 0):6.1f} ms", flush=True)


BENCHMARK = Benchmark(
    says=__doc__,
    folder=HERE,
    measure=results,
    options=options,
    seed=SEED,
    quick="two episodes of two rows a group",
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
