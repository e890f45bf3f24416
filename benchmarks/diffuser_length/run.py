"""How Diffuser's score grows with its training: evaluates checkpoints of runs; writes a dated file and the table."""

import argparse
import contextlib
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from dfplan.cli.main import main as dfplan

sys.path.append(str(Path(__file__).parents[1]))
from frame import Benchmark, Named
from records import between_marks, newest_file

HERE = Path(__file__).parent
README, RESULTS = HERE / "README.md", HERE / "results"
BEGIN, END = "<!-- table: written by benchmarks/diffuser_length/run.py -->", "<!-- end of table -->"
PUBLISHED_STEPS = 2_000_000  # jannerm/diffuser, branch maze2d, config/maze2d.py: n_train_steps
KEPT = ("metrics", "n_episodes", "seed", "goal", "controller", "weights", "plan_seconds", "config")
SHARED = ("commit", "machine", "device", "versions", "start_protocol")


def options(parser: argparse.ArgumentParser) -> None:
    """What is to be measured."""
    parser.add_argument("runs", type=Path, nargs="*", help="run folders of `dfplan train recipe=diffuser-…`")
    parser.add_argument("--steps", type=int, nargs="*", help="of checkpoints; none = all but the untrained one")


def results(arguments: argparse.Namespace) -> Named:
    """Every checkpoint of every run."""
    rows: list[dict[str, Any]] = []
    shared: dict[str, Any] = {}
    words = [f"n_episodes={arguments.episodes}", f"n_envs={arguments.episodes}", f"seed={arguments.seed}"]
    for run in arguments.runs:
        for checkpoint in checkpoints_of(run, steps=arguments.steps):
            record = evaluate(run, checkpoint, [*words, f"threads={arguments.threads}"])
            if record is None:
                raise SystemExit(2)
            step, batch = step_of(checkpoint), record["training"]["batch_size"]
            facts = {"env": record["env"], "step": step, "windows": step * batch}
            rows.append(facts | {key: record[key] for key in KEPT})
            shared = {key: record[key] for key in SHARED}
            print(line_of(rows[-1]), flush=True)
    if rows:
        yield "", {"question": "score of Diffuser against the length of its training", **shared, "rows": rows}


def pages() -> dict[Path, str]:
    """The README with the table of the newest file."""
    return {README: between_marks(README.read_text(), render(newest_file(RESULTS)), begin=BEGIN, end=END)}


def checkpoints_of(run: Path, *, steps: Sequence[int] | None) -> list[Path]:
    """Checkpoint folders of a run, the earliest first."""
    found = sorted((run / "checkpoints").glob("step-*"), key=step_of)
    return [each for each in found if (step_of(each) in steps if steps else step_of(each))]


def step_of(checkpoint: Path) -> int:
    """The training step of a checkpoint, by its name."""
    return int(checkpoint.name.rpartition("-")[2])


def evaluate(run: Path, checkpoint: Path, words: Sequence[str]) -> dict[str, Any] | None:
    """The record of the averaged weights of one checkpoint, tracked as published; None where a command fails."""
    settings = json.loads((run / "config.json").read_text())
    env = settings["config"]["env"]["name"]
    with tempfile.TemporaryDirectory() as temporary, contextlib.redirect_stdout(StringIO()):
        # A run that is already as long as it should be trains nothing and exports what its newest checkpoint holds.
        copy = Path(temporary) / "run"
        shutil.copytree(checkpoint, copy / "checkpoints" / checkpoint.name)
        shutil.copyfile(run / "config.json", copy / "config.json")
        if dfplan(["train", f"resume={copy}", f"training.num_steps={step_of(checkpoint)}"]):
            return None
        say = [f"env={env}", f"weights={copy}", "controller=tracker", f"output={temporary}/eval", *words]
        if dfplan(["eval", *say]):
            return None
        record = json.loads((Path(temporary) / "eval" / "results.json").read_text())
    record["config"]["weights"] = f"{env}, step {step_of(checkpoint)}"  # where it lay is no business of the file
    return record | {"training": settings["training"]}


def render(record: dict[str, Any] | None) -> str:
    """The table of a record."""
    if record is None:
        return "No result file yet."
    return "\n".join(
        [
            "| maze | steps | share of the published steps | score [95 %] | latched | success % | in walls % |",
            "|---|---:|---:|---:|---:|---:|---:|",
            *(line_of(row) for row in record["rows"]),
            "",
            f"[{record['file']}](results/{record['file']}): {record['rows'][0]['n_episodes']} episodes of seed "
            f"{record['rows'][0]['seed']}, {record['rows'][0]['goal']} goal, {record['machine']}, commit "
            f"`{record['commit'][:12]}`",
        ]
    )


def line_of(row: dict[str, Any]) -> str:
    """One line of the table."""
    metrics = row["metrics"]
    score = metrics["normalized_return"]
    cells = (
        row["env"],
        f"{row['step']:,}",
        f"1 / {PUBLISHED_STEPS / row['step']:,.0f}",
        f"{score['mean']:.1f} [{score['low']:.1f}, {score['high']:.1f}]",
        f"{metrics['latched_normalized_return']['mean']:.1f}",
        f"{100 * metrics['success_rate']['mean']:.0f}",
        f"{100 * metrics['planned_wall_share']['mean']:.1f}",
    )
    return f"| {' | '.join(cells)} |"


BENCHMARK = Benchmark(
    says=__doc__, folder=HERE, measure=results, options=options, episodes=32, seed=1000, threads=1, pages=pages
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
