"""Mutation score and branch coverage of the modules that must not be wrong; each part writes a dated result file.

python benchmarks/mutation/run.py coverage                  a minute or two
python benchmarks/mutation/run.py mutants                   every mutant: over half an hour of a quiet core
python benchmarks/mutation/run.py mutants --minutes 20      as many as that, drawn from all modules in turn
python benchmarks/mutation/run.py mutants --only ladder     one module, by a part of its path; no result file
"""

import argparse
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import accelerate  # noqa: F401 - this and the next are what every test loads; loaded once, before the forks
import h5py  # noqa: F401
import numpy  # noqa: F401
import pytest
import safetensors.torch  # noqa: F401
import torch  # noqa: F401
from mutate import Mutant, mutants

sys.path.append(str(Path(__file__).parents[1]))
from frame import Benchmark, Named
from records import Record

ROOT = Path(__file__).parents[2]
COPIED = ("dfplan", "envs", "tests", "configs", "benchmarks", "pyproject.toml")
TARGETS: dict[str, tuple[str, ...]] = {
    "dfplan/diffusion/schedule.py": ("tests/diffusion/test_noise_schedule.py",),
    "dfplan/diffusion/matrices.py": ("tests/diffusion/test_matrices.py",),
    "dfplan/training/checkpoint.py": ("tests/training/test_checkpoint.py",),
    "dfplan/models/bundle.py": ("tests/models/test_bundle.py",),
    "dfplan/files.py": ("tests/test_files.py",),
    "dfplan/planner/sampler.py": ("tests/planner/test_sampler.py",),
    "dfplan/planner/guidance.py": ("tests/planner/test_guidance.py",),
    "dfplan/realtime/followers.py": ("tests/realtime/test_followers.py", "tests/realtime/test_agent.py"),
    "dfplan/realtime/plans.py": ("tests/realtime/test_plans.py", "tests/realtime/test_supervisor.py"),
    "dfplan/realtime/ladder.py": ("tests/realtime/test_ladder.py", "tests/realtime/test_agent.py"),
    "dfplan/realtime/rate.py": ("tests/realtime/test_rate.py",),
    "dfplan/realtime/gate.py": ("tests/realtime/test_gate.py",),
    "dfplan/realtime/stream.py": ("tests/realtime/test_stream.py",),
}
# Takes a minute and says the same as the others, at every row: a mutant that only it would notice counts as survived.
LEFT_OUT = ("-k", "not parts_are_the_whole")
LEAST_SCORE, LEAST_COVERAGE = 0.85, 90.0
MOST_SECONDS = 120  # of a processor, for the tests of a mutant: more is a loop that does not end
PATIENCE = 10.0  # times as long as the tests of a module take without a mutant: longer is waiting for ever


@dataclass
class Tally:
    """What has become of the mutants of a module so far."""

    mutants: int
    tried: int = 0
    seconds_without: float = 0.0
    survivors: list[tuple[int, str]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def score(self) -> float:
        """Share of those tried that the tests have noticed."""
        return 1 - len(self.survivors) / self.tried if self.tried else 0.0


def options(parser: argparse.ArgumentParser) -> None:
    """What is to be measured."""
    parser.add_argument("part", choices=["coverage", "mutants"])
    parser.add_argument("--minutes", type=float, default=float("inf"), help="after which no other mutant is tried")
    parser.add_argument("--only", default="", help="a part of the paths of modules; no result file")
    parser.add_argument("--seed", type=int, default=0, help="of the order in which mutants are tried")


def results(arguments: argparse.Namespace) -> Named:
    """One part; status 1 if a module falls short."""
    chosen = {path: tests for path, tests in TARGETS.items() if arguments.only in path}
    record: Record = {"left_out": " ".join(LEFT_OUT), "tests": chosen}
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in COPIED:
            source = ROOT / name
            shutil.copytree(source, copy / name) if source.is_dir() else shutil.copy(source, copy / name)
        if arguments.part == "coverage":
            record["coverage"] = found = _coverage(copy, chosen)
            short = [path for path, percent in found.items() if percent < LEAST_COVERAGE]
        else:
            _use(copy)
            tallies = _mutate(copy, chosen, until=began + 60 * arguments.minutes, seed=arguments.seed)
            record["mutants"] = {path: asdict(tally) | {"score": tally.score} for path, tally in tallies.items()}
            short = [path for path, tally in tallies.items() if tally.score < LEAST_SCORE]
    record |= {"seconds": round(time.monotonic() - began), "falls_short": short}
    print(json.dumps(record[arguments.part], indent=1))
    print("falls short: " + ", ".join(short) if short else "no module falls short")
    if not arguments.only:
        yield arguments.part, record
    if short:
        raise SystemExit(1)


def _use(copy: Path) -> None:
    """Let the forks import dfplan, which nothing here has done yet, from the copy."""
    sys.dont_write_bytecode = True
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # other packages' plugins take half of the time of a short test
    sys.path[:0] = [str(copy), str(copy / "envs")]
    os.chdir(copy)


def _mutate(copy: Path, chosen: dict[str, tuple[str, ...]], *, until: float, seed: int) -> dict[str, Tally]:
    """Try mutants, one of each module in turn and each module's in an order drawn by lot, until time is up."""
    originals = {path: (copy / path).read_text() for path in chosen}
    drawn = {path: list(mutants(original)) for path, original in originals.items()}
    tallies = {path: Tally(len(each)) for path, each in drawn.items()}
    for path, each in drawn.items():
        random.Random(f"{seed} {path}").shuffle(each)
    for path, mutant in _in_turn(drawn):
        tests, tally, began = chosen[path], tallies[path], time.monotonic()
        if began > until:
            break
        if not tally.tried:
            if _tests_fail(tests, seconds=10 * MOST_SECONDS):
                raise SystemExit(f"the tests {tests} fail without any mutation")
            tally.seconds_without = time.monotonic() - began
        (copy / path).write_text(mutant.source)
        noticed = _tests_fail(tests, seconds=30 + PATIENCE * tally.seconds_without)
        (copy / path).write_text(originals[path])
        tally.tried += 1
        tally.seconds += time.monotonic() - began
        if not noticed:
            tally.survivors.append((mutant.line, mutant.change))
            print(f"{path}, line {mutant.line}: survived, {mutant.change}", flush=True)
    return tallies


def _in_turn(drawn: dict[str, list[Mutant]]) -> Iterator[tuple[str, Mutant]]:
    """The first of every module, the second of every module, and so on."""
    for index in range(max(map(len, drawn.values()))):
        for path, each in drawn.items():
            if index < len(each):
                yield path, each[index]


def _tests_fail(tests: tuple[str, ...], *, seconds: float) -> bool:
    """Run tests in a fork; one that is not done after so many seconds has noticed too."""
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (MOST_SECONDS, MOST_SECONDS))
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        os._exit(int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *LEFT_OUT, *tests])))
    deadline = time.monotonic() + seconds  # it may sleep for ever
    while time.monotonic() < deadline:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return status != 0
        time.sleep(0.02)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return True


def _coverage(copy: Path, chosen: dict[str, tuple[str, ...]]) -> dict[str, float]:
    """Percent of lines and branches of each module that the tests reach, all of them run once."""
    environment = os.environ | {"PYTHONPATH": f"{copy}:{copy / 'envs'}", "COVERAGE_FILE": str(copy / ".coverage")}
    measured, tests = (
        ",".join(str(copy / path) for path in chosen),
        sorted({test for each in chosen.values() for test in each}),
    )
    run = ["coverage", "run", "--branch", f"--include={measured}", "-m", "pytest", "-q", *LEFT_OUT, *tests]
    subprocess.run([sys.executable, "-m", *run], check=True, env=environment, capture_output=True, cwd=copy)
    report = [sys.executable, "-m", "coverage", "json", "-q", "-o", "-"]
    answer = subprocess.run(report, check=True, env=environment, capture_output=True, text=True, cwd=copy)
    files = json.loads(answer.stdout)["files"]
    return {path: round(files[path]["summary"]["percent_covered"], 1) for path in chosen}


BENCHMARK = Benchmark(says=__doc__, folder=Path(__file__).parent, measure=results, options=options)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
