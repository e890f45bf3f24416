"""The result files of the maze scores by what they measured, and what several of a kind say together."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from crossed import crossed_interval

from dfplan.domains.former import present_choice
from dfplan.evaluation.metrics import Estimate, wilson_interval

RESULTS = Path(__file__).parent / "maze_scores" / "results"
SIZES = ("umaze", "medium", "large")
GOALS = {"fixed": "Maze2D", "random": "Multi2D", "detour": "Detours"}
# In the order of the tables; what has no weights of its own needs no name of them.
CONTROLLERS = ("actions", "shooting", "waypoints", "oracle", "none")
CLONED = "behaviour-cloning"
UNTRAINED = ("grid", "waypoints", "oracle", "bound")

Records = list[dict[str, Any]]
"""The newest record of each training seed, all of one kind."""


@dataclass(frozen=True)
class Kind:
    """What a row of the tables is about.

    Attributes:
        env: such as maze2d-large.
        goal: fixed, random or detour.
        planner: what plans.
        controller: what turns plans into actions.
        data: what it was trained on: "collected", or "resynthesised" (driven again); "" where nothing was.
    """

    env: str
    goal: str
    planner: str
    controller: str
    data: str

    @property
    def size(self) -> str:
        """Of the maze: umaze, medium or large."""
        return self.env.rpartition("-")[2]

    @property
    def family(self) -> str:
        """Maze2D or Multi2D, and whether the maze is one of those that no default was ever tuned on."""
        return GOALS[self.goal] + (" eval" if "-eval-" in self.env else "")

    @property
    def method(self) -> tuple[str, str, str]:
        """All but the task."""
        return self.planner, self.controller, self.data

    @property
    def order(self) -> tuple[Any, ...]:
        """Where it stands in a table: planned actions of data as collected first, they rest on the model alone.

        Their rival without a plan stands behind them.
        """
        family = ("-eval-" in self.env, list(GOALS).index(self.goal))
        controller = 0.5 if self.planner == CLONED else CONTROLLERS.index(self.controller)
        method = (controller, self.planner in UNTRAINED, self.data, self.planner)
        return *family, *method, SIZES.index(self.size)


def kind_of(record: dict[str, Any]) -> Kind:
    """The kind of a record.

    Before results said so, transformers were trained on resynthesised data and the RNN on data as collected.
    """
    planner = record["planner"]
    data = record["weights"].get("data") or ("collected" if planner == "rnn" else "resynthesised")
    return Kind(
        env=record["env"],
        goal=record["goal"],
        planner=planner,
        controller=present_choice("controller", record["controller"]),
        data="" if planner in UNTRAINED else data,
    )


def load_kinds(folder: Path) -> dict[Kind, Records]:
    """The newest records of each kind, one per training seed, in the order of the tables.

    Old files that do not say by a checksum whose scores they hold are left out.
    """
    newest: dict[Kind, dict[int, dict[str, Any]]] = {}
    for path in sorted(folder.glob("*.json")):
        record = json.loads(path.read_text())
        if record["planner"] not in UNTRAINED and "sha256" not in record.get("weights", {}):
            continue
        record["file"] = path.name
        kind = kind_of(record)
        seed, seeds = training_seed(record, kind), newest.setdefault(kind, {})
        if seed not in seeds or record["date"] > seeds[seed]["date"]:
            seeds[seed] = record
    return {
        kind: [newest[kind][seed] for seed in sorted(newest[kind])]
        for kind in sorted(newest, key=lambda kind: kind.order)
    }


def training_seed(record: dict[str, Any], kind: Kind) -> int:
    """Seed of the training behind a record; 0 where there was no training, or from before it was noted."""
    return (kind.data and record["weights"].get("training_seed")) or 0


def estimate(records: Records, name: str) -> Estimate:
    """Mean of a metric with its interval: over episodes for one training, over seeds and episodes for several."""
    if len(records) == 1:
        metric = records[0]["metrics"].get(name, {"mean": None, "low": None, "high": None})
        return Estimate(metric["mean"], metric["low"], metric["high"])
    if name == "success_rate":
        return wilson_interval(np.concatenate([values_of(each, "success") for each in records]))
    values = np.stack([values_of(each, name) for each in records])
    values = values[:, ~np.isnan(values).any(axis=0)]
    return crossed_interval(values) if values.shape[1] > 1 else Estimate(None, None, None)


def values_of(record: dict[str, Any], name: str) -> np.ndarray:
    """A value of every episode; NaN where it does not exist."""
    return np.array([math.nan if each[name] is None else float(each[name]) for each in record["episodes"]])


def mean_score(record: dict[str, Any]) -> float:
    """The mean score of one training."""
    return record["metrics"]["normalized_return"]["mean"]


def check_paired(records: Records) -> None:
    """Refuse to average trainings that did not meet the same episodes."""
    beginnings = [[(each["start"], each["goal"]) for each in record["episodes"]] for record in records]
    for record, found in zip(records[1:], beginnings[1:], strict=True):
        if found != beginnings[0]:
            raise SystemExit(
                f"{record['file']} and {records[0]['file']} are of different episodes; "
                "run every training seed with the same seed= and n_episodes="
            )
