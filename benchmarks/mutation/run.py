"""Mutation score and branch coverage of the modules that must not be wrong, written into a dated result file.

python benchmarks/mutation/run.py                        all of them, half an hour on two quiet cores
python benchmarks/mutation/run.py checkpoint schedule    some, by a part of their path; no result file
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import accelerate  # noqa: F401 - this and the next are what every test loads; loaded once, before the forks
import h5py  # noqa: F401
import numpy  # noqa: F401
import pytest
import safetensors.torch  # noqa: F401
import torch  # noqa: F401
from mutate import mutants

ROOT = Path(__file__).parents[2]
RESULTS = Path(__file__).parent / "results"
COPIED = ("dfplan", "envs", "tests", "configs", "benchmarks", "pyproject.toml")
TARGETS: dict[str, tuple[str, ...]] = {
    "dfplan/diffusion/schedule.py": ("tests/diffusion",),
    "dfplan/training/checkpoint.py": ("tests/training/test_checkpoint.py",),
    "dfplan/models/bundle.py": ("tests/models/test_bundle.py",),
    "dfplan/files.py": ("tests/test_files.py",),
    "dfplan/planner/sampler.py": ("tests/planner/test_sampler.py", "tests/planner/test_planner.py"),
    "dfplan/planner/guidance.py": ("tests/planner/test_guidance.py", "tests/planner/test_sampler.py"),
    "dfplan/realtime/stream.py": ("tests/realtime",),
}
LEAST_SCORE, LEAST_COVERAGE = 0.85, 90.0


def main(words: Sequence[str]) -> int:
    """Mutate; status 1 if a module falls short."""
    chosen = {path: tests for path, tests in TARGETS.items() if not words or any(word in path for word in words)}
    record: dict[str, Any] = {"date": datetime.now(UTC).isoformat(timespec="seconds"), "modules": {}}
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in COPIED:
            source = ROOT / name
            shutil.copytree(source, copy / name) if source.is_dir() else shutil.copy(source, copy / name)
        _use(copy)
        for path, tests in chosen.items():
            record["modules"][path] = _measure(copy, path, tests)
    short = [path for path, each in record["modules"].items() if _falls_short(each)]
    print("falls short: " + ", ".join(short) if short else "every module is tested well enough")
    if not words:
        path = RESULTS / f"{datetime.now(UTC):%Y-%m-%d-%H%M}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(record, indent=1) + "\n")
        print(path)
    return 1 if short else 0


def _falls_short(measured: dict[str, Any]) -> bool:
    return measured["score"] < LEAST_SCORE or measured["branch_coverage"] < LEAST_COVERAGE


def _use(copy: Path) -> None:
    """Let the forks import dfplan, which nothing here has done yet, from the copy."""
    sys.dont_write_bytecode = True
    sys.path[:0] = [str(copy), str(copy / "envs")]
    os.chdir(copy)


def _measure(copy: Path, path: str, tests: tuple[str, ...]) -> dict[str, Any]:
    original = (copy / path).read_text()
    began = time.monotonic()
    if _tests_fail(tests, timeout=600):
        raise SystemExit(f"the tests {tests} fail without any mutation")
    baseline = time.monotonic() - began
    survivors, count = [], 0
    for mutant in mutants(original):
        (copy / path).write_text(mutant.source)
        count += 1
        if not _tests_fail(tests, timeout=10 + 5 * baseline):
            survivors.append([mutant.line, mutant.change])
    (copy / path).write_text(original)
    measured = {
        "mutants": count,
        "killed": count - len(survivors),
        "score": round(1 - len(survivors) / count, 4),
        "branch_coverage": _coverage(copy, path, tests),
        "tests": list(tests),
        "survivors": survivors,
    }
    print(path, json.dumps({name: measured[name] for name in ("mutants", "score", "branch_coverage")}), flush=True)
    for line, change in survivors:
        print(f"  survived, line {line}, {change}", flush=True)
    return measured


def _tests_fail(tests: tuple[str, ...], *, timeout: float) -> bool:
    """Run tests in a fork; one that hangs has noticed too."""
    child = os.fork()
    if child == 0:
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        status = pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests])
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


def _coverage(copy: Path, path: str, tests: tuple[str, ...]) -> float:
    """Percent of lines and branches that the tests reach."""
    environment = os.environ | {"PYTHONPATH": f"{copy}:{copy / 'envs'}", "COVERAGE_FILE": str(copy / ".coverage")}
    run = ["coverage", "run", "--branch", f"--include={copy / path}", "-m", "pytest", "-q", *tests]
    subprocess.run([sys.executable, "-m", *run], check=True, env=environment, capture_output=True)
    report = [sys.executable, "-m", "coverage", "json", "-q", "-o", "-"]
    answer = subprocess.run(report, check=True, env=environment, capture_output=True, text=True)
    return round(json.loads(answer.stdout)["totals"]["percent_covered"], 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
