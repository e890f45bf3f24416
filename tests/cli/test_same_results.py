"""One results file, however many environments run side by side and in whatever way: only what it took differs."""

import json
from pathlib import Path

import pytest

from dfplan.cli.main import main
from dfplan.evaluation.report import RECORD_SEAL

WAYS = [
    ["n_envs=16"],
    ["n_envs=4"],
    ["n_envs=1"],
    ["n_envs=16", "vectorization=sync"],
    ["n_envs=4", "vectorization=async"],
]
COST = ("n_envs", "plan_seconds", "wall_seconds", "date")


def _results(words):
    """The results file less what the way of running costs."""
    assert main(["eval", "env=maze2d-umaze", "n_episodes=16", "goal=random", "threads=1", *words]) == 0
    record = json.loads((Path(words[-1].removeprefix("output=")) / "results.json").read_text())
    assert record["plan_seconds"]["batch"] <= record["n_envs"]
    for name in COST:
        del record[name]
    del record["metrics"]["plan_seconds"], record["config"]["n_envs"], record["config"]["vectorization"]
    del record[RECORD_SEAL]  # of all that
    return record


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        ["controller=shooting", "planner.num_candidates=2"],
        ["controller=actions", "planner.num_candidates=2", "planner.horizon=64", "controller.replan_every=32"],
    ],
)
def test_results_are_the_same_to_the_last_digit(options, tmp_path):
    first, *others = (_results([*options, *way, f"output={tmp_path / str(index)}"]) for index, way in enumerate(WAYS))
    assert len(first["episodes"]) == 16
    assert first["metrics"]["success_rate"]["mean"] > 0
    for other in others:
        assert other == first
