"""Do the mazes behave alike on the oldest and the newest MuJoCo that are supported? Their tests, and returns.

python benchmarks/releases/mujoco_versions.py                          # make test-mujoco
python benchmarks/releases/mujoco_versions.py --versions 3.3.0 3.9.0   # others; all else is as this Python has it
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))

from environments import WORLD, Environment, FailedError, evaluate, own_packages
from frame import Benchmark
from packages import ROOT
from records import Record

VERSIONS = ("3.3.0", "4.0.0")  # the ends of what pyproject.toml allows
TESTS = ("tests/envs", "tests/domains/maze/test_dynamics.py", "tests/domains/maze/test_generate.py")


def options(parser: argparse.ArgumentParser) -> None:
    """Which versions, and which tests."""
    parser.add_argument("--versions", nargs="+", default=VERSIONS, help="of MuJoCo")
    parser.add_argument("--tests", nargs="+", default=TESTS, help="files and folders of tests")


def measure(arguments: argparse.Namespace) -> Iterator[tuple[str, Record]]:
    """Tests and episodes on each version; ends with status 1 where any failed."""
    rows = [run(version, arguments) for version in arguments.versions]
    yield (
        "mujoco",
        {
            "question": "do the mazes behave alike on the oldest and the newest MuJoCo that are supported",
            "env": WORLD,
            "n_episodes": arguments.episodes,
            "tests": list(arguments.tests),
            "rows": rows,
        },
    )
    if any("failed" in row for row in rows):
        raise SystemExit(1)


def run(version: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Tests and episodes on a version, in an environment that differs from this one in MuJoCo alone."""
    print(f"MuJoCo {version}: ", end="", flush=True)
    found: dict[str, Any] = {"mujoco": version}
    python, paths = Path(sys.executable), f"{ROOT}:{ROOT / 'envs'}"
    with tempfile.TemporaryDirectory(prefix="dfplan-mujoco-") as scratch:
        folder = Path(scratch)
        try:
            environment = Environment.make(folder / "environment", python, lender=own_packages(), PYTHONPATH=paths)
            environment.install(f"mujoco=={version}", options=("--no-deps", "--ignore-installed"), cwd=folder)
            tests = ("-m", "pytest", "-p", "no:cacheprovider", "-m", "slow or not slow", *arguments.tests)
            found["tests"] = environment.run("python", *tests, cwd=ROOT).strip().splitlines()[-1].partition(" in ")[0]
            found |= evaluate(environment, folder=folder, n_episodes=arguments.episodes)
        except FailedError as error:
            print(f"FAILED\n{error}", flush=True)
            return found | {"failed": str(error).splitlines()[-1]}
    if found["versions"]["mujoco"] != version:
        raise SystemExit(f"MuJoCo {found['versions']['mujoco']} was measured, and not {version}")
    print(f"{found['tests']}; returns {', '.join(map(str, found['returns']))}", flush=True)
    return found


BENCHMARK = Benchmark(
    says=__doc__,
    folder=Path(__file__).parent,
    measure=measure,
    options=options,
    episodes=5,
    on_request=True,
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
