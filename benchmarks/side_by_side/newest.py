"""What tables and plots are made of: the newest result file of each task."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from dfplan.evaluation.metrics import mean_interval, wilson_interval
from dfplan.evaluation.statistics import Strata

HERE = Path(__file__).parent
SCORES = HERE.parents[1] / "benchmarks" / "maze_scores" / "results"
ELSEWHERE = "†"  # marks an agent whose scores were measured on their own
MAZES = ("maze2d-umaze", "maze2d-medium", "maze2d-large")
GOALS = {"fixed": "Maze2D", "random": "Multi2D"}
TASKS = tuple((maze, goal) for goal in GOALS for maze in MAZES)

Records = dict[tuple[str, str], dict[str, Any]]
"""The newest record of each task, by maze and goal."""


def load_newest(folder: Path) -> Records:
    """The newest record of each task, in the order of the tables."""
    newest: Records = {}
    for path in sorted(folder.glob("*.json")):
        record = json.loads(path.read_text()) | {"file": path.name}
        task = (record["env"], record["goal"])
        if task not in newest or record["date"] > newest[task]["date"]:
            newest[task] = record
    return {task: with_grid(newest[task]) for task in TASKS if task in newest}


def with_grid(record: dict[str, Any]) -> dict[str, Any]:
    """A record with the scores of the grid in the same episodes, where they were measured on their own alone."""
    episodes = known_episodes(record, "grid")
    if row_of(record, "grid") or not episodes:
        return record
    scores, success = (np.array([each[name] for each in episodes]) for name in ("normalized_return", "success"))
    metrics = {
        "normalized_return": vars(mean_interval(scores)),
        "success_rate": vars(wilson_interval(success)),
    }
    grid = {"name": f"grid {ELSEWHERE}", "metrics": metrics, "scores": scores.tolist(), "cost": None}
    return record | {"agents": [*record["agents"], grid]}


def known_episodes(record: dict[str, Any], planner: str, folder: Path = SCORES) -> list[dict[str, Any]]:
    """The episodes of a record as the newest maze scores of another planner have them; empty if these lack one."""
    for path in sorted(folder.glob(f"*-{planner}.json"), reverse=True):
        found = json.loads(path.read_text())
        if (found["env"], found["goal"], found["planner"]) == (record["env"], record["goal"], planner):
            known = {(*each["start"], *each["goal"]): each for each in found["episodes"]}
            wanted = [(*each["start"], *each["goal"]) for each in record.get("episodes", [])]
            if known.keys() >= set(wanted):
                return [known[each] for each in wanted]
    return []


def row_of(record: dict[str, Any], name: str) -> dict[str, Any] | None:
    """What a record says of an agent; None where it was not there."""
    return next((agent for agent in record["agents"] if agent["name"] == name), None)


def names_of(records: Records) -> list[str]:
    """Agents in the order in which they come where most of them do."""
    fullest = sorted(records.values(), key=lambda record: -len(record["agents"]))
    return list(dict.fromkeys(agent["name"] for record in fullest for agent in record["agents"]))


def scores_of(records: Records, name: str) -> Strata:
    """Scores of an agent in every task, an array a task; empty where it was not in all of them."""
    found = [row_of(record, name) for record in records.values()]
    return [] if None in found else [np.array(agent["scores"]) for agent in found if agent]
