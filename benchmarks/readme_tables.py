"""Writes the score tables of the README from the committed result files; ``--check`` tells whether they are current.

No number in those tables is typed by hand. A row is the newest result files of its kind, one per training seed.
"""

import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np

from dfplan.evaluation.metrics import Estimate, crossed_interval, wilson_interval

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
RESULTS = ROOT / "benchmarks" / "maze_scores" / "results"
BEGIN, END = "<!-- scores: written by benchmarks/readme_tables.py -->", "<!-- end of scores -->"
MAZES = ("maze2d-umaze", "maze2d-medium", "maze2d-large")
# Diffuser (arXiv 2205.09991, table 1): standard return, D4RL-normalised; "tracked" is its PD controller.
DIFFUSER = {
    ("fixed", "tracked"): (113.9, 121.5, 123.0),
    ("random", "tracked"): (128.9, 127.2, 132.1),
    ("fixed", "its own actions"): (6.3, 13.5, 6.3),
}
GOALS = {"fixed": "Maze2D", "random": "Multi2D", "detour": "Detours"}

Records = list[dict[str, Any]]
"""The newest record of each training seed, all of one maze, goal, planner and controller."""


def load_records(folder: Path) -> list[Records]:
    """The newest records of each maze, goal, planner and controller, in a fixed order."""
    newest: dict[tuple[str, ...], dict[int, dict[str, Any]]] = {}
    for path in sorted(folder.glob("*.json")):
        record = json.loads(path.read_text())
        record["file"] = path.name
        kind = tuple(record[name] for name in ("env", "goal", "planner", "controller"))
        seed, seeds = training_seed(record), newest.setdefault(kind, {})
        if seed not in seeds or record["date"] > seeds[seed]["date"]:
            seeds[seed] = record
    places = {maze: place for place, maze in enumerate(MAZES)}
    order = sorted(newest, key=lambda kind: (kind[1], kind[3], kind[2], places.get(kind[0], len(places)), kind[0]))
    return [[newest[kind][seed] for seed in sorted(newest[kind])] for kind in order]


def training_seed(record: dict[str, Any]) -> int:
    """Seed of the training behind a record; those of before it was noted are of seed 0."""
    return record.get("weights", {}).get("training_seed") or 0


def estimate(records: Records, name: str) -> Estimate:
    """Mean of a metric with its interval: over episodes for one training, over seeds and episodes for several."""
    if len(records) == 1:
        metric = records[0]["metrics"][name]
        return Estimate(metric["mean"], metric["low"], metric["high"])
    if name == "success_rate":
        return wilson_interval(np.concatenate([values_of(each, "success") for each in records]))
    values = np.stack([values_of(each, name) for each in records])
    values = values[:, ~np.isnan(values).any(axis=0)]
    return crossed_interval(values) if values.shape[1] > 1 else Estimate(None, None, None)


def values_of(record: dict[str, Any], name: str) -> np.ndarray:
    """A value of every episode; NaN where it does not exist."""
    return np.array([math.nan if each[name] is None else float(each[name]) for each in record["episodes"]])


def check_paired(records: Records) -> None:
    """Refuse to average trainings that did not meet the same episodes."""
    beginnings = [[(each["start"], each["goal"]) for each in record["episodes"]] for record in records]
    for record, found in zip(records[1:], beginnings[1:], strict=True):
        if found != beginnings[0]:
            raise SystemExit(
                f"{record['file']} and {records[0]['file']} are of different episodes; "
                "run every training seed with the same seed= and n_episodes="
            )


def interval(records: Records, name: str, *, factor: float = 1.0, digits: int = 1) -> str:
    """``mean [low, high]`` of a metric."""
    found = estimate(records, name)
    if found.mean is None or found.low is None or found.high is None:
        return "–"
    mean, low, high = (f"{factor * value:.{digits}f}" for value in (found.mean, found.low, found.high))
    return f"{mean} [{low}, {high}]"


def three_scores(records: Records) -> str:
    """Score with its interval, latched score and success, which only mean something together."""
    latched = estimate(records, "latched_normalized_return").mean
    success = estimate(records, "success_rate").mean
    return f"{interval(records, 'normalized_return')} · {latched:.0f} · {100 * (success or 0):.0f} %"


def overview(kinds: list[Records]) -> list[str]:
    """One row per method and goal, one column per maze; of Diffuser the score, as published."""
    lines = ["| score [95 %] · latched · success | U-Maze | Medium | Large |", "|---|---:|---:|---:|"]
    for goal, label in GOALS.items():
        for (published_goal, how), scores in DIFFUSER.items():
            if published_goal == goal:
                cells = " | ".join(f"{score:.1f}" for score in scores)
                lines.append(f"| {label}: Diffuser, {how} (as published) | {cells} |")
        for planner, controller in sorted({(each[0]["planner"], each[0]["controller"]) for each in kinds}):
            found = {
                each[0]["env"]: each
                for each in kinds
                if (each[0]["goal"], each[0]["planner"], each[0]["controller"]) == (goal, planner, controller)
            }
            if found:
                cells = " | ".join(three_scores(found[maze]) if maze in found else "–" for maze in MAZES)
                lines.append(f"| {label}: dfplan, {planner}, {controller} | {cells} |")
    return lines


def details(kinds: list[Records]) -> list[str]:
    """Every measure of every result file."""
    lines = [
        "| maze | goal | planner, controller | return | score | of each training seed | latched | success % "
        "| first touch | in walls % | plan p50 / p95 ms | episodes |",
        "|---|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for records in kinds:
        first = records[0]
        cells = (
            first["env"].removeprefix("maze2d-"),
            first["goal"],
            f"{first['planner']}, {first['controller']}",
            interval(records, "raw_return"),
            interval(records, "normalized_return"),
            " ".join(linked_score(each) for each in records),
            interval(records, "latched_normalized_return"),
            interval(records, "success_rate", factor=100),
            interval(records, "first_touch_step", digits=0),
            interval(records, "planned_wall_share", factor=100),
            plan_milliseconds(records),
            f"{len(records)} × {first['n_episodes']}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def linked_score(record: dict[str, Any]) -> str:
    """The mean score of one training, linked to its file."""
    return f"[{record['metrics']['normalized_return']['mean']:.1f}](benchmarks/maze_scores/results/{record['file']})"


def plan_milliseconds(records: Records) -> str:
    """Median and 95th percentile of the planning time, averaged over trainings."""
    seconds = [each["metrics"]["plan_seconds"] for each in records]
    if any(each["p50"] is None for each in seconds):
        return "–"
    return " / ".join(f"{1000 * np.mean([each[name] for each in seconds]):.0f}" for name in ("p50", "p95"))


def render(kinds: list[Records]) -> str:
    """Everything between the two marks of the README."""
    if not kinds:
        return "No result files yet."
    for records in kinds:
        check_paired(records)
    devices = ", ".join(sorted({f"{each['device']} ({each['machine']})" for records in kinds for each in records}))
    return "\n".join(
        [
            *overview(kinds),
            "",
            "<details><summary>All measures, from the same roll-outs</summary>",
            "",
            *details(kinds),
            "",
            "Episodes: trainings × episodes, the same starts and goals for every training. Mean and 95 % interval:",
            "over episodes where there is one training; over trainings and episodes where there are several (two",
            "crossed random factors, t with Satterthwaite's degrees of freedom); Wilson's for success. Planning time",
            "is per environment, many planned side by side;",
            f"on {devices}.",
            "</details>",
        ]
    )


def updated(readme: str, kinds: list[Records]) -> str:
    """The README with its tables written anew."""
    before, rest = readme.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n\n{render(kinds)}\n\n{END}{after}"


def main() -> int:
    """Write the tables, or with ``--check`` answer 1 where they are not current."""
    current = README.read_text()
    wanted = updated(current, load_records(RESULTS))
    if "--check" in sys.argv[1:]:
        return int(wanted != current)
    README.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
