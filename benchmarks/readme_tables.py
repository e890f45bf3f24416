"""Writes the score tables of the README from the committed result files; ``--check`` tells whether they are current.

No number in those tables is typed by hand. A row is the newest result file of its kind.
"""

import json
import sys
from pathlib import Path
from typing import Any

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
GOALS = {"fixed": "Maze2D", "random": "Multi2D"}


def load_records(folder: Path) -> list[dict[str, Any]]:
    """The newest record of each maze, goal, planner and controller, in a fixed order."""
    newest: dict[tuple[str, ...], dict[str, Any]] = {}
    for path in sorted(folder.glob("*.json")):
        record = json.loads(path.read_text())
        record["file"] = path.name
        kind = tuple(record[name] for name in ("env", "goal", "planner", "controller"))
        if kind not in newest or record["date"] > newest[kind]["date"]:
            newest[kind] = record
    places = {maze: place for place, maze in enumerate(MAZES)}
    order = sorted(newest, key=lambda kind: (kind[1], kind[3], kind[2], places.get(kind[0], len(places)), kind[0]))
    return [newest[kind] for kind in order]


def interval(record: dict[str, Any], name: str, *, factor: float = 1.0, digits: int = 1) -> str:
    """``mean [low, high]`` of a metric."""
    metric = record["metrics"][name]
    if metric["mean"] is None:
        return "–"
    mean, low, high = (f"{factor * metric[key]:.{digits}f}" for key in ("mean", "low", "high"))
    return f"{mean} [{low}, {high}]"


def three_scores(record: dict[str, Any]) -> str:
    """Score with its interval, latched score and success, which only mean something together."""
    latched = record["metrics"]["latched_normalized_return"]["mean"]
    success = record["metrics"]["success_rate"]["mean"]
    return f"{interval(record, 'normalized_return')} · {latched:.0f} · {100 * success:.0f} %"


def overview(records: list[dict[str, Any]]) -> list[str]:
    """One row per method and goal, one column per maze; of Diffuser the score, as published."""
    lines = ["| score [95 %] · latched · success | U-Maze | Medium | Large |", "|---|---:|---:|---:|"]
    for goal, label in GOALS.items():
        for (published_goal, how), scores in DIFFUSER.items():
            if published_goal == goal:
                cells = " | ".join(f"{score:.1f}" for score in scores)
                lines.append(f"| {label}: Diffuser, {how} (as published) | {cells} |")
        for planner, controller in sorted({(each["planner"], each["controller"]) for each in records}):
            found = {
                each["env"]: each
                for each in records
                if (each["goal"], each["planner"], each["controller"]) == (goal, planner, controller)
            }
            if found:
                cells = " | ".join(three_scores(found[maze]) if maze in found else "–" for maze in MAZES)
                lines.append(f"| {label}: dfplan, {planner}, {controller} | {cells} |")
    return lines


def details(records: list[dict[str, Any]]) -> list[str]:
    """Every measure of every result file."""
    lines = [
        "| maze | goal | planner, controller | return | score | latched | success % | first touch | in walls % "
        "| plan p50 / p95 ms | episodes |",
        "|---|---|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for record in records:
        seconds = record["metrics"]["plan_seconds"]
        plan = "–" if seconds["p50"] is None else f"{1000 * seconds['p50']:.0f} / {1000 * seconds['p95']:.0f}"
        cells = (
            f"[{record['env'].removeprefix('maze2d-')}](benchmarks/maze_scores/results/{record['file']})",
            record["goal"],
            f"{record['planner']}, {record['controller']}",
            interval(record, "raw_return"),
            interval(record, "normalized_return"),
            interval(record, "latched_normalized_return"),
            interval(record, "success_rate", factor=100),
            interval(record, "first_touch_step", digits=0),
            interval(record, "planned_wall_share", factor=100),
            plan,
            str(record["n_episodes"]),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def render(records: list[dict[str, Any]]) -> str:
    """Everything between the two marks of the README."""
    if not records:
        return "No result files yet."
    devices = ", ".join(sorted({f"{each['device']} ({each['machine']})" for each in records}))
    return "\n".join(
        [
            *overview(records),
            "",
            "<details><summary>All measures, from the same roll-outs</summary>",
            "",
            *details(records),
            "",
            "Mean and 95 % interval over episodes. Planning time is per environment, many planned side by side;",
            f"on {devices}.",
            "</details>",
        ]
    )


def updated(readme: str, records: list[dict[str, Any]]) -> str:
    """The README with its tables written anew."""
    before, rest = readme.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n\n{render(records)}\n\n{END}{after}"


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
