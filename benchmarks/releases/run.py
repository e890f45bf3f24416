"""Is what would be released whole, and does it run wherever it says? Builds, looks inside, installs, runs.

python benchmarks/releases/run.py                        # Python 3.11, 3.12 and 3.13, those that are found
python benchmarks/releases/run.py --pythons 3.11         # one of them: what was not run is said at the end
python benchmarks/releases/run.py --index URL            # packages from there as well, such as builds of torch for CPUs
python benchmarks/releases/run.py --lend 3.12=FOLDER     # a site-packages of that Python which has torch already
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))

import packages
from environments import WORLD, Environment, FailedError, find_python, try_out
from frame import Benchmark
from records import Record

from dfplan import __version__

PYTHONS = ("3.11", "3.12", "3.13")


def options(parser: argparse.ArgumentParser) -> None:
    """Which Pythons, and where packages come from."""
    parser.add_argument("--pythons", nargs="+", choices=PYTHONS, default=PYTHONS, help="versions to install into")
    parser.add_argument("--constraints", type=Path, default=packages.ROOT / "constraints.txt", help="pinned versions")
    parser.add_argument("--index", help="an index of packages that is asked besides the usual one")
    parser.add_argument("--lend", nargs="+", default=[], metavar="VERSION=FOLDER", help="packages lent to environments")


def measure(arguments: argparse.Namespace) -> Iterator[tuple[str, Record]]:
    """Build, look, install, run; ends with status 1 where anything of that failed."""
    lent = lenders(arguments)
    with tempfile.TemporaryDirectory(prefix="dfplan-release-") as scratch:
        built = packages.build(Path(scratch))
        faults = look_into(built)
        rows, not_run = [], {}
        for version in PYTHONS:
            if version not in arguments.pythons:
                not_run[version] = "not asked for (--pythons)"
            elif (python := find_python(version)) is None:
                not_run[version] = f"no python{version} on PATH nor among those of pyenv"
            else:
                rows += [
                    {"python": version, "package": kind, "lent": version in lent}
                    | install(path, python, arguments, lender=lent.get(version))
                    for kind, path in built.items()
                ]
        sizes = {kind: path.stat().st_size for kind, path in built.items()}
    record = {
        "question": "does what would be released install into a clean environment, and run there",
        "env": WORLD,
        "n_episodes": arguments.episodes,
        "bytes": sizes,
        "faults": faults,
        "rows": rows,
        "not_run": not_run,
    }
    yield "pythons", record
    if not tell(record):
        raise SystemExit(1)


def lenders(arguments: argparse.Namespace) -> dict[str, Path]:
    """Folders of installed packages by version of Python; none holds dfplan itself."""
    found = {version: Path(folder) for version, _, folder in (each.partition("=") for each in arguments.lend)}
    if not set(found) <= set(PYTHONS) or not all(each.is_dir() for each in found.values()):
        arguments.refuse(f"--lend takes a version of {', '.join(PYTHONS)}, =, and a folder of installed packages")
    if holding := [str(each) for each in found.values() if any(each.glob("dfplan-*.dist-info"))]:
        arguments.refuse(f"{' '.join(holding)} holds dfplan itself, which is to be installed")
    return found


def look_into(built: Mapping[str, Path]) -> list[str]:
    """What is wrong with the packages before anybody installs them."""
    tracked = packages.tracked_files()
    faults = packages.faults_of_wheel(built["wheel"], tracked) + packages.faults_of_sdist(built["sdist"], tracked)
    for each in faults:
        print(f"FAULT: {each}")
    return faults


def install(package: Path, python: Path, arguments: argparse.Namespace, *, lender: Path | None) -> dict[str, Any]:
    """Install into an environment of its own, which is gone afterwards, and try it out there."""
    print(f"{python}, {package.name}: ", end="", flush=True)
    with tempfile.TemporaryDirectory(prefix="dfplan-release-") as scratch:
        folder = Path(scratch)
        (folder / "work").mkdir()
        try:
            environment = Environment.make(folder / "environment", python, lender=lender)
            pip = ["--constraint", str(arguments.constraints)]
            pip += ["--extra-index-url", arguments.index] if arguments.index else []
            seconds = environment.install(str(package), options=pip, cwd=folder)
            found = try_out(environment, folder=folder / "work", version=__version__, n_episodes=arguments.episodes)
        except FailedError as error:
            print(f"FAILED\n{error}", flush=True)
            return {"failed": str(error).splitlines()[-1]}
    print(f"installed in {seconds:.0f} s; returns {', '.join(map(str, found['returns']))}", flush=True)
    return found


def tell(record: Record) -> bool:
    """Say what ran, what did not and what differs; whether all that ran is right."""
    failed = [f"Python {row['python']}, {row['package']}" for row in record["rows"] if "failed" in row]
    ran = [row for row in record["rows"] if "failed" not in row]
    if differing(ran):
        print("NOTE: the same episodes end differently: see the returns above")
    if unreleased := packages.unreleased_changes():
        print(f"NOTE: {unreleased} changes stand under Unreleased in CHANGELOG.md, and {__version__} is what was built")
    for version, reason in record["not_run"].items():
        print(f"NOT RUN: Python {version}: {reason}")
    print(f"{len(ran)} installations run, {len(failed)} failed{': ' + '; '.join(failed) if failed else ''}")
    return bool(ran) and not failed and not record["faults"]


def differing(rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether returns are not the same in all environments."""
    return len({tuple(row["returns"]) for row in rows}) > 1


BENCHMARK = Benchmark(
    says=__doc__,
    folder=Path(__file__).parent,
    measure=measure,
    options=options,
    episodes=2,
    on_request=True,
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
