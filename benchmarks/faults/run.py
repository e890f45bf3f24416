"""Injects faults into everything that writes or reads files, and writes what happened into a dated result file.

python benchmarks/faults/run.py            all of it, about ten minutes
python benchmarks/faults/run.py --quick    a tenth of it, kept under runs/ alone
python benchmarks/faults/run.py --part "damaged files"
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import damage
import disk
import hostile
import kills
import resume

sys.path.append(str(Path(__file__).parents[1]))
from frame import Benchmark, Named

RESULTS = Path(__file__).parent / "results"
SEED = 0


def options(parser: argparse.ArgumentParser) -> None:
    """What is to be measured."""
    parser.add_argument("--part", action="append", help="such as 'damaged files'; may be given again; all by default")


def results(arguments: argparse.Namespace) -> Named:
    """All parts; status 1 if any bar is missed."""
    tenth = 10 if arguments.quick else 1
    parts = {
        "kills while saving": lambda folder: kills.run(folder, count=200 // tenth, seed=SEED),
        "failing disks": lambda folder: disk.run(folder, with_export=tenth == 1),
        "kills and resumes": lambda folder: resume.run(folder, count=20 // tenth, seed=SEED),
        "damaged files": lambda folder: damage.run(folder, count=1000 // tenth, seed=SEED),
        "hostile files": hostile.run,
    }
    record: dict[str, Any] = {"env": "none", "metrics": {}, "seed": SEED}
    missed, all_began = list[str](), time.monotonic()
    for name in arguments.part or parts:
        began, used = time.monotonic(), _processor_seconds()
        with tempfile.TemporaryDirectory() as folder:
            record[name] = parts[name](Path(folder))
        record[name]["seconds"] = round(time.monotonic() - began, 1)
        record[name]["processor_seconds"] = round(_processor_seconds() - used, 1)
        missed += [f"{name}: {bar}" for bar in misses(name, record[name])]
        print(f"{name}: {record[name]['seconds']} s, {record[name]['processor_seconds']} of a processor", flush=True)
    record |= {"seconds": round(time.monotonic() - all_began, 1), "bars missed": missed}
    print("\n".join(missed) or "every bar is met")
    yield "", record
    if missed:
        raise SystemExit(1)


def _processor_seconds() -> float:
    """Of this process and its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def misses(name: str, found: dict[str, Any]) -> list[str]:
    """What of a part falls short: nothing may be lost, unnoticed or executed, and every resumed run must be equal."""
    match name:
        case "kills while saving":
            zero = ("unloadable_latest", "lost_previous", "damaged_other_files", "strays_after_start")
            return [f"{key} {found[key]}" for key in zero if found[key]]
        case "failing disks":
            cases = {case: judged for case, judged in found.items() if isinstance(judged, dict) and case != "made by"}
            return [f"{case}: not {key}" for case, judged in cases.items() for key, good in judged.items() if not good]
        case "kills and resumes":
            equal = [key for key in found if key.startswith("equal_")]
            short = [f"{key} {found[key]} of {found['kills']}" for key in equal if found[key] != found["kills"]]
            return short + (["too few losses compared"] if found["fewest_losses_compared"] < 200 else [])
        case "damaged files":
            cases = {kind: each for kind, each in found.items() if isinstance(each, dict)}
            return [f"{kind}: {each}" for kind, each in cases.items() if each["found"] != each["cases"]]
        case _:
            bad = {key: found[key] for key in ("executions", "not_refused", "too_slow", "too_large")}
            return [f"{key} {value}" for key, value in bad.items() if value]


BENCHMARK = Benchmark(
    says=__doc__, folder=Path(__file__).parent, measure=results, options=options, quick="a tenth of the counts"
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
