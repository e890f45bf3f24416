"""One thread or two for planning? On a machine that has nothing else to do, and on one that is busy; a dated file."""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

sys.path.append(str(Path(__file__).parents[1]))
from frame import Benchmark, Named
from records import Record, between_marks, head, load_of, newest_file, row

from dfplan.cli.build import describe_weights
from dfplan.cli.folders import bundled_weights
from dfplan.models import load_forcing_model
from dfplan.models.bundle import load_bundle
from dfplan.planner import Planner, PlannerSettings

HERE = Path(__file__).parent
README = HERE / "README.md"
BEGIN, END = "<!-- threads: written by benchmarks/threads/run.py -->", "<!-- end of threads -->"
WEIGHTS = bundled_weights() / "maze2d-large"
START, GOAL = np.array([[1.0, 1.0, 0.0, 0.0]]), np.array([[7.0, 9.0]])
HORIZON, WARMING_UP, MOST_SECONDS = 100, 3, 40.0
WAYS = {"1 thread": (1, "PASSIVE"), "2 that wait passively": (2, "PASSIVE"), "2 that spin (torch's own)": (2, "ACTIVE")}
OTHERS = {"quiet": 0.0, "busy": 2.0}  # processes that only calculate, for each processor


def options(parser: argparse.ArgumentParser) -> None:
    """How much is to be measured."""
    parser.add_argument("--plans", type=int, default=30, help="of each row (default 30)")
    parser.add_argument("--alone", action="store_true", help="print the seconds of so many plans, and leave")


def results(arguments: argparse.Namespace) -> Named:
    """Every way on either machine, each in a process of its own."""
    if arguments.alone:
        print(json.dumps(seconds_of_plans(arguments.plans)))
        return
    rows = []
    for name, others in OTHERS.items():
        with busy(int(others * (os.cpu_count() or 1))):
            for way, (threads, policy) in WAYS.items():
                found = in_a_process(arguments.plans, threads=threads, policy=policy)
                p50, p95 = np.quantile(1000 * np.array(found), [0.5, 0.95]).tolist()
                rows.append({"machine": name, "way": way, "p50_ms": p50, "p95_ms": p95, "seconds": found})
                print(f"{name}, {way}: p50 {p50:.0f} ms, p95 {p95:.0f} ms", flush=True)
    weights = describe_weights(WEIGHTS, load_bundle(WEIGHTS)[1])
    question = "one thread or two, quiet and beside twice as many processes as there are processors?"
    yield "", {"question": question, "weights": weights, "rows": rows}


@contextmanager
def busy(number: int) -> Iterator[None]:
    """So many processes that calculate meanwhile."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(number)]
    try:
        yield
    finally:
        for each in others:
            each.kill()
            each.wait()


def in_a_process(plans: int, *, threads: int, policy: str) -> list[float]:
    """Seconds of plans in a process with so many threads, which wait as OpenMP's ``policy`` says."""
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": policy}
    command = [sys.executable, __file__, "--alone", f"--plans={plans}", "--uncommitted"]
    return json.loads(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


def seconds_of_plans(number: int) -> list[float]:
    """Wall seconds of plans through the large maze, one after the other; fewer of them where they take long."""
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    planner = Planner(load_forcing_model(WEIGHTS), settings=PlannerSettings())
    seconds, first = list[float](), time.perf_counter()
    for seed in range(WARMING_UP + number):
        began = time.perf_counter()
        if len(seconds) > WARMING_UP and began - first > MOST_SECONDS:
            break
        planner.plan(START, GOAL, horizon=HORIZON, generators=[torch.Generator().manual_seed(seed)])
        seconds.append(round(time.perf_counter() - began, 5))
    return seconds[WARMING_UP:]


def pages() -> dict[Path, str]:
    """The README with the table of the newest file."""
    newest = newest_file(HERE / "results")
    text = table(newest) if newest else "No result file yet."
    return {README: between_marks(README.read_text(), text, begin=BEGIN, end=END)}


def table(record: Record) -> str:
    """Milliseconds of a plan, a row a way."""
    by_way = {each["way"]: {} for each in record["rows"]}
    for each in record["rows"]:
        by_way[each["way"]][each["machine"]] = f"{each['p50_ms']:.0f} / {each['p95_ms']:.0f}"
    most = max(len(each["seconds"]) for each in record["rows"])
    told = (
        f"[{record['file']}](results/{record['file']}): p50 / p95 of at most {most} plans, {record['machine']}, "
        f"commit `{record['commit'][:12]}`, load average before {load_of(record)}; {record['note']}"
    )
    lines = [*head("threads", *(f"{name}, ms" for name in OTHERS))]
    lines += [row(way, *(found[name] for name in OTHERS)) for way, found in by_way.items()]
    return "\n".join([*lines, "", told]).rstrip("; ")


BENCHMARK = Benchmark(says=__doc__, folder=HERE, measure=results, options=options, pages=pages)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
