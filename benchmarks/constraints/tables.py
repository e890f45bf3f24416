"""Writes the table of README.md and summary.json from the result files: of each kind of row the newest."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from dfplan.evaluation.metrics import Estimate, wilson_interval

sys.path.append(str(Path(__file__).parents[1]))
from frame import Benchmark
from records import between_marks, load, source

HERE = Path(__file__).parent
BEGIN, END = "<!-- table: written by benchmarks/constraints/tables.py -->", "<!-- end of table -->"
CONTROLLERS = ("pursuit", "actions")
DEFAULT = "routes"  # what planner.guidance does where nothing is said
JOINT = ("keep_out", "waypoint", "speed")

Row = dict[str, Any]


def pages() -> dict[Path, str]:
    """The figures, and the README with their table."""
    records, readme = load(HERE / "results"), HERE / "README.md"
    rows = newest(records)
    text = between_marks(readme.read_text(), "\n".join(lines(rows, records)), begin=BEGIN, end=END)
    return {HERE / "summary.json": json.dumps(summarize(rows), indent=1) + "\n", readme: text}


def newest(records: list[Row]) -> list[Row]:
    """The rows of all records; of rows of the same maze, parts and method, the one of the newest record."""
    found: dict[tuple[str, str, str], Row] = {}
    for record in reversed(records):
        for row in record["rows"]:
            found[row["maze"], "+".join(row["parts"]), row["method"]] = row | {"seed": record["seed"]}
    return sorted(found.values(), key=lambda row: (row["maze"], -len(row["parts"]), row["parts"], row["method"]))


def summarize(rows: list[Row]) -> dict[str, Any]:
    """The figures of the default, all three constraints at once; of two controllers, the one that keeps fewer."""
    figures: dict[str, Any] = {}
    for row in rows:
        if row["method"] != DEFAULT or sorted(row["parts"]) != sorted(JOINT) or row["seed"] != 0:
            continue
        maze, cases = row["maze"], row["cases"]
        figures[f"{maze}.plans_joint"] = share(cases, plan_is_kept)
        driven = [share(cases, is_kept_by(name)) for name in CONTROLLERS if name in cases[0]]
        if driven:
            figures[f"{maze}.rollouts_joint"] = min(driven, key=lambda figure: figure["mean"])
        if maze == "large":
            figures["large.points_in_walls"] = in_walls(cases)
            figures["large.cpu_seconds_a_plan"] = float(np.mean([case["cpu_seconds"] for case in cases]))
    return figures


def plan_is_kept(case: Row) -> bool:
    """Whether a plan keeps everything and arrives."""
    return not case["broken"] and case["arrives"]


def is_kept_by(controller: str) -> Callable[[Row], bool]:
    """Whether what a controller drove keeps everything and touched the goal."""
    return lambda case: not case[controller]["broken"] and case[controller]["success"]


def in_walls(cases: list[Row]) -> float:
    """Share of the planned points that lie in walls."""
    return sum(case["points_in_walls"] for case in cases) / sum(case["points"] for case in cases)


def share(cases: list[Row], is_good: Callable[[Row], bool]) -> dict[str, Any]:
    """Share of cases with Wilson's interval."""
    return vars(wilson_interval(np.array([is_good(case) for case in cases]))) | {"n": len(cases)}


def lines(rows: list[Row], records: list[Row]) -> Iterator[str]:
    """The table, and the files it is made of."""
    yield (
        "| maze | constraints | method | cases | plans that keep all % | pursuit % | success % | actions % | success % "
        "| broken, by plans | points in walls % | CPU s a plan, mean / p95 | network calls |"
    )
    yield "|---|---|---|---:|---:|---:|---:|---:|---:|---|---:|---:|---:|"
    for row in rows:
        cases, seconds = row["cases"], [case["cpu_seconds"] for case in row["cases"]]
        cells = [
            row["maze"],
            " + ".join(row["parts"]),
            row["method"],
            str(len(cases)),
            percent(share(cases, plan_is_kept)),
        ]
        for name in CONTROLLERS:
            if name in cases[0]:
                cells.append(percent(share(cases, is_kept_by(name))))
                cells.append(f"{100 * np.mean([case[name]['success'] for case in cases]):.0f}")
            else:
                cells += ["–", "–"]
        names = [name for case in cases for name in case["broken"]]
        cells.append(", ".join(f"{name} {names.count(name)}" for name in sorted(set(names))) or "–")
        cells.append(f"{100 * in_walls(cases):.1f}")
        cells.append(f"{np.mean(seconds):.2f} / {np.quantile(seconds, 0.95):.2f}")
        cells.append(f"{np.mean([case['evaluations'] for case in cases]):.0f}")
        yield f"| {' | '.join(cells)} |"
    yield ""
    for record in records:
        left = "; ".join(
            f"{maze}: {', '.join(f'{reason} {count}' for reason, count in found.items())}"
            for maze, found in record["left_out"].items()
        )
        yield f"{source(record)}; seed {record['seed']}; left out: {left}  "


def percent(figure: dict[str, Any]) -> str:
    """``mean [low, high]``, in per cent."""
    found = Estimate(figure["mean"], figure["low"], figure["high"])
    assert found.mean is not None
    assert found.low is not None
    assert found.high is not None
    return f"{100 * found.mean:.0f} [{100 * found.low:.0f}, {100 * found.high:.0f}]"


BENCHMARK = Benchmark(says=__doc__, folder=HERE, pages=pages)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
