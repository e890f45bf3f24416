"""Mutation score and branch coverage of the modules that must not be wrong, written into a dated result file.

python benchmarks/mutation/run.py                        all of them, about an hour of a quiet core
python benchmarks/mutation/run.py --sample 20            20 mutants drawn from each module
python benchmarks/mutation/run.py checkpoint schedule    some, by a part of their path; no result file
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import accelerate  # noqa: F401 - this and the next are what every test loads; loaded once, before the forks
import h5py  # noqa: F401
import numpy  # noqa: F401
import pytest
import safetensors.torch  # noqa: F401
import torch  # noqa: F401
from mutate import Mutant, mutants

ROOT = Path(__file__).parents[2]
RESULTS = Path(__file__).parent / "results"
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
    "dfplan/realtime/latch.py": ("tests/realtime/test_ladder.py", "tests/realtime/test_agent.py"),
    "dfplan/realtime/rate.py": ("tests/realtime/test_rate.py",),
    "dfplan/realtime/gate.py": ("tests/realtime/test_gate.py",),
    "dfplan/realtime/stream.py": ("tests/realtime/test_stream.py",),
}
# Takes a minute and says the same as the others, at every row: a mutant that only it would notice counts as survived.
LEFT_OUT = ("-k", "not parts_are_the_whole")
LEAST_SCORE, LEAST_COVERAGE = 0.85, 90.0


def main() -> int:
    """Mutate; status 1 if a module falls short."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("words", nargs="*", help="parts of the paths of modules; none is all, and a result file")
    parser.add_argument("--sample", type=int, help="mutants drawn from each module; all of them by default")
    parser.add_argument("--seed", type=int, default=0, help="of the drawing")
    arguments = parser.parse_args()
    words, load = arguments.words, os.getloadavg()
    chosen = {path: tests for path, tests in TARGETS.items() if not words or any(word in path for word in words)}
    record: dict[str, Any] = {"commit": _commit(), "date": datetime.now(UTC).isoformat(timespec="seconds")}
    record |= {"sample": arguments.sample, "seed": arguments.seed, "left_out": " ".join(LEFT_OUT), "modules": {}}
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in COPIED:
            source = ROOT / name
            shutil.copytree(source, copy / name) if source.is_dir() else shutil.copy(source, copy / name)
        _use(copy)
        coverage = _coverage(copy, chosen)
        for path, tests in chosen.items():
            measured = _measure(copy, path, tests, sample=arguments.sample, seed=arguments.seed)
            record["modules"][path] = measured | {"branch_coverage": coverage[path]}
            _say(path, record["modules"][path])
    tried, killed = (sum(each[name] for each in record["modules"].values()) for name in ("tried", "killed"))
    short = [path for path, each in record["modules"].items() if _falls_short(each)]
    record |= {"tried": tried, "killed": killed, "score": round(killed / tried, 4), "falls_short": short}
    record |= {"load_before": load, "load_after": os.getloadavg(), "seconds": round(time.monotonic() - began)}
    print(f"{killed} of {tried} killed; " + ("falls short: " + ", ".join(short) if short else "no module falls short"))
    if not words:
        path = RESULTS / f"{datetime.now(UTC):%Y-%m-%d-%H%M}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(record, indent=1) + "\n")
        print(path)
    return 1 if short else 0


def _commit() -> str:
    """Of the working tree; dfplan's own function for that would load dfplan, which only the forks may."""
    ask = ["git", "-C", str(ROOT)]
    commit = subprocess.run([*ask, "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    changed = subprocess.run(
        [*ask, "status", "--porcelain", "-uno"], capture_output=True, text=True, check=False
    ).stdout
    return commit + ("-dirty" if changed else "")


def _say(path: str, measured: dict[str, Any]) -> None:
    print(path, json.dumps({name: measured[name] for name in ("mutants", "tried", "score", "branch_coverage")}))
    for line, change in measured["survivors"]:
        print(f"  survived, line {line}, {change}", flush=True)


def _falls_short(measured: dict[str, Any]) -> bool:
    return measured["score"] < LEAST_SCORE or measured["branch_coverage"] < LEAST_COVERAGE


def _use(copy: Path) -> None:
    """Let the forks import dfplan, which nothing here has done yet, from the copy."""
    sys.dont_write_bytecode = True
    sys.path[:0] = [str(copy), str(copy / "envs")]
    os.chdir(copy)


def _measure(copy: Path, path: str, tests: tuple[str, ...], *, sample: int | None, seed: int) -> dict[str, Any]:
    """Let the tests meet the mutants of a module, or as many of them as are drawn."""
    original = (copy / path).read_text()
    began = time.monotonic()
    if _tests_fail(tests, timeout=600):
        raise SystemExit(f"the tests {tests} fail without any mutation")
    patience = 10 + 5 * (time.monotonic() - began)
    every = list(mutants(original))
    drawn = every if sample is None else random.Random(f"{seed} {path}").sample(every, min(sample, len(every)))
    survivors = [[each.line, each.change] for each in drawn if not _is_noticed(copy / path, each, tests, patience)]
    (copy / path).write_text(original)
    killed = len(drawn) - len(survivors)
    measured: dict[str, Any] = {"mutants": len(every), "tried": len(drawn), "killed": killed}
    return measured | {"score": round(killed / len(drawn), 4), "tests": list(tests), "survivors": sorted(survivors)}


def _is_noticed(path: Path, mutant: Mutant, tests: tuple[str, ...], timeout: float) -> bool:
    path.write_text(mutant.source)
    return _tests_fail(tests, timeout=timeout)


def _tests_fail(tests: tuple[str, ...], *, timeout: float) -> bool:
    """Run tests in a fork; one that hangs has noticed too."""
    child = os.fork()
    if child == 0:
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        status = pytest.main(["-x", "-q", "-p", "no:cacheprovider", *LEFT_OUT, *tests])
        os._exit(int(status))
    deadline = time.monotonic() + timeout
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
    subprocess.run([sys.executable, "-m", *run], check=True, env=environment, capture_output=True)
    report = [sys.executable, "-m", "coverage", "json", "-q", "-o", "-"]
    answer = subprocess.run(report, check=True, env=environment, capture_output=True, text=True)
    files = json.loads(answer.stdout)["files"]
    return {path: round(files[path]["summary"]["percent_covered"], 1) for path in chosen}


if __name__ == "__main__":
    sys.exit(main())
