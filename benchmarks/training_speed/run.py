"""Measures a training step of the recipe with Muon's iteration in either precision, compiled and not."""

import argparse
import contextlib
import itertools
import json
import statistics
import sys
import tempfile
from io import StringIO
from pathlib import Path
from typing import Any

import torch

from dfplan.cli.main import main as dfplan
from dfplan.training.muon import fastest_precision

sys.path.append(str(Path(__file__).parents[1]))
from frame import Benchmark, Named

HERE = Path(__file__).parent
RECIPE_STEPS = 6000
DATA = ("resynthesis.num_steps=20000", "training.validate_every=0", "training.checkpoint_every=1000000")


def options(parser: argparse.ArgumentParser) -> None:
    """What is to be measured."""
    parser.add_argument("--env", default="maze2d-large", help="whose window sizes (default maze2d-large)")
    parser.add_argument("--steps", type=int, default=40, help="to time, after as many to warm up (default 40)")


def results(arguments: argparse.Namespace) -> Named:
    """Either precision, compiled and not."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data.hdf5"
        with contextlib.redirect_stdout(StringIO()):
            dfplan(["generate", f"env={arguments.env}", "num_steps=60000", f"output={data}"])
        for precision, compiled in itertools.product(("float32", "bfloat16"), ("true", "false")):
            words = [f"env={arguments.env}", f"data={data}", f"threads={arguments.threads}", *DATA]
            words += [f"training.matrix_precision={precision}", f"training.compiled={compiled}"]
            run = Path(folder) / f"{precision}-{compiled}"
            seconds = seconds_of_step([*words, f"output={run}"], run=run, num_steps=arguments.steps)
            rows.append({"matrix_precision": precision, "compiled": compiled == "true", "seconds": seconds})
            minutes = RECIPE_STEPS * seconds / 60
            print(f"{precision}, compiled={compiled}: {1000 * seconds:.0f} ms a step, {minutes:.0f} min", flush=True)
    yield (
        "",
        {
            "question": "how long does a training step take?",
            "env": arguments.env,
            "threads": arguments.threads,
            "recipe_steps": RECIPE_STEPS,
            "chosen": fastest_precision(torch.device("cpu")),
            "rows": rows,
        },
    )


def seconds_of_step(words: list[str], *, run: Path, num_steps: int) -> float:
    """Median time of a step of `dfplan train`, over parts of five steps of its second half."""
    options = [f"training.num_steps={2 * num_steps}", "training.log_every=5"]
    with contextlib.redirect_stdout(StringIO()), contextlib.redirect_stderr(StringIO()):
        if dfplan(["train", *words, *options]) != 0:
            raise SystemExit(f"dfplan train {' '.join(words)} failed")
    lines: list[dict[str, Any]] = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return statistics.median(1 / line["steps_per_second"] for line in lines if line["step"] > num_steps)


BENCHMARK = Benchmark(says=__doc__, folder=HERE, measure=results, options=options, threads=1, on_request=True)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
