"""Benchmarks of decisions and of delay: what they count, and figures that are those of the result files."""

import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dfplan.cli.folders import bundled_weights
from dfplan.types import Bounds, PlanEvent

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
MAZE = ["env=maze2d-umaze", f"weights={bundled_weights() / 'maze2d-umaze'}", "controller=actions"]


@pytest.fixture
def script(monkeypatch):
    """A function that imports a script of a benchmark by folder and name."""

    def load(folder: str, name: str):
        monkeypatch.syspath_prepend(str(BENCHMARKS))
        monkeypatch.syspath_prepend(str(BENCHMARKS / folder))
        return importlib.import_module(name)

    yield load
    for name in ("run", "report", "agents", "worlds", "records", "world_tables"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("folder", ["decisions", "delay"])
def test_summaries_are_current(folder):
    command = [sys.executable, str(BENCHMARKS / folder / "report.py"), "--check"]
    assert subprocess.run(command, check=False).returncode == 0


def test_tables_tell_the_newest_of_each_world(script, tmp_path):
    def record(date, mean):
        value = {"mean": mean, "low": mean - 0.1, "high": mean + 0.1, "n": 9}
        rows = [
            {"told": told, "delay": delay, "success": value, "change_at_joins": 2.0, "change_elsewhere": 1.0}
            for told, delay in ((True, 0), (True, 4), (False, 4))
        ]
        named = {"file": f"{date}.json", "commit": "0" * 40, "figures": {"push.told.0": mean}}
        return {"task": "push", "date": date, "rows": rows, **named}

    report, records = script("delay", "report"), [record("2026-02-01", 0.75), record("2026-01-01", 0.5)]
    assert report.figures_of(records) == {"push.told.0": 0.75}
    lines = report.table(records).splitlines()
    assert lines[2] == "| push, 0 | 75.0 [65.0, 85.0] % | – | 2.0, 1.0 | – |"
    assert lines[3].count("75.0 [65.0, 85.0] %") == 2
    report.draw(records, tmp_path / "plots" / "delay.png")
    assert (tmp_path / "plots" / "delay.png").read_bytes().startswith(b"\x89PNG")


def test_a_change_is_counted_where_it_happens(script):
    run = script("delay", "run")
    bounds = Bounds(np.full(2, -1.0), np.full(2, 3.0))
    played = np.array([[0, 0], [2, 0], [2, 0], [2, 4.0]])  # changes of 25, 0 and 50 % of the range, mean of two joints
    found = run.changes([played, played[:2]], [{1}, set()], bounds=bounds)
    assert found == {"change_at_joins": 25.0, "change_elsewhere": pytest.approx((0 + 50 + 25) / 3, abs=1e-3)}


def test_a_plan_joins_where_it_is_there_and_the_first_joins_nothing(script):
    events = [PlanEvent(np.array(rows), step, None, 0.0) for step, rows in ((0, [0, 1]), (4, [0, 1]), (8, [1]))]
    assert script("delay", "run").steps_of_joins(events, delay=3, episodes=2) == [{7}, {7, 11}]


def test_decisions_with_a_plan_are_told_and_the_rate_is_of_all(script):
    run = script("decisions", "run")
    made = run.make_agent([*MAZE, "planner.num_candidates=1"])
    found = run.timed_decisions(made.agent, made.protocol, num_plans=5, seed=5000)
    assert found["plan_ms"]["n"] == 5
    assert 5 * 8 - 8 < found["decisions"] <= 5 * 8  # planned anew every 8 steps, the last one at once
    assert 0 < found["plan_cpu_ms"]["p50"] <= found["plan_cpu_ms"]["p95"]
    assert found["decisions_per_second"] > 1000 / found["plan_ms"]["p95"]


def test_an_evaluation_with_a_delay_tells_of_joins_and_weights(script):
    run = script("delay", "run")
    run.WORLDS = {"umaze": "maze2d-umaze"}
    how = run.Way(4, tells=True)
    found = run.measure([*MAZE, "planner.num_candidates=2"], how, episodes=1, seed=5000)
    assert found["config"]["controller"]["inference_delay"] == 4
    assert len(found["weights"]["sha256"]) == 64
    assert 0 < found["change_elsewhere"] < 100
