"""Benchmarks of decisions and of delay: what they count, and figures that are those of the result files."""

import importlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dfplan.cli.folders import bundled_weights
from dfplan.domains.find import find_domain
from dfplan.planner import PlannerSettings
from dfplan.realtime import ActInfo
from dfplan.types import Bounds, PlanEvent

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
MAZE = ["env=maze2d-umaze", f"weights={bundled_weights() / 'maze2d-umaze'}", "controller=actions"]
TOLD = ActInfo(
    step=0,
    source="plan",
    faults=(),
    plan_age=0,
    delay_steps=1,
    joined=False,
    jump=0.0,
    context_level=0.0,
    detail="",
)


@pytest.fixture
def script(monkeypatch):
    """A function that imports a script of a benchmark by folder and name."""

    def load(folder: str, name: str):
        monkeypatch.syspath_prepend(str(BENCHMARKS))
        monkeypatch.syspath_prepend(str(BENCHMARKS / folder))
        return importlib.import_module(name)

    yield load
    for name in ("run", "report", "wall_clock", "agents", "worlds", "records", "world_tables"):
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
        named = {"file": f"{date}.json", "note": "", "commit": "0" * 40, "figures": {"push.told.0": mean}}
        return {"task": "push", "date": date, "rows": rows, **named}

    report, records = script("delay", "report"), [record("2026-02-01", 0.75), record("2026-01-01", 0.5)]
    assert report.figures_of(records) == {"push.told.0": 0.75}
    lines = report.tables(records).splitlines()
    assert lines[2] == "| push, 0 | 75.0 [65.0, 85.0] % | – | 2.0, 1.0 | – |"
    assert lines[3].count("75.0 [65.0, 85.0] %") == 2
    report.draw(report.simulated(records), tmp_path / "plots" / "delay.png")
    assert (tmp_path / "plots" / "delay.png").read_bytes().startswith(b"\x89PNG")


def test_a_table_tells_what_is_lost_by_the_clock(script):
    found = {
        "delay": 4,
        "waiting": {"mean": 2000.0, "low": 1900.0, "high": 2100.0},
        "earned": {"mean": 1970.0, "low": 1870.0, "high": 2070.0},
        "loss_percent": {"mean": 1.5, "low": -0.5, "high": 3.5},
        "change_at_joins": 2.25,
        "change_elsewhere": 1.0,
        "delays": {"4": 99, "5": 1},
        "sources": {"plan": 100},
        "ticks": 100,
        "missed": 0,
        "late": 0,
    }
    named = {"file": "a.json", "commit": "0" * 40, "figures": {}, "note": "quiet", "date": "2026-01-01"}
    text = script("delay", "report").tables([{"task": "hopper-4-wall-clock", **found, **named}])
    earned = "2000 [1900, 2100] | 1970 [1870, 2070] | 1.5 [-0.5, 3.5]"
    assert text.splitlines()[2] == f"| hopper, 4 | {earned} | 2.2, 1.0 | 4: 99, 5: 1 | plan 100 | 100 | 0 | 0 |"


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


def test_a_robot_by_the_clock_stands_still_until_driven_and_then_moves_on_alone(script, monkeypatch):
    clock, now = script("delay", "wall_clock"), [100.0]
    monkeypatch.setattr(clock.time, "monotonic", lambda: now[0])
    with find_domain("Pendulum-v1").protocol().begin(range(1), seed=0) as running:
        far = Bounds(np.full(3, -2.0), np.full(3, 0.25))
        robot = clock.ClockedRobot(running, bounds=far, rate=50, most_steps=8)
        begun = running.begun.observations[0]
        for source, steps in (("safe", 0), ("plan", 1), ("hold", 2)):
            observed, stamp = robot.observe()
            robot.send(np.ones(1, np.float32))
            robot.on_tick(replace(TOLD, source=source, joined=source == "hold"))
            assert robot.steps == steps
            if not steps:
                np.testing.assert_array_equal(observed, np.clip(begun, -2, 0.25))
            now[0] = stamp + 0.02
        now[0] += 3 * 0.02
        robot.observe()
        assert (robot.steps, robot.late) == (5, 3)  # three ticks that nobody answered
        now[0] += 1.0
        robot.observe()
        assert robot.is_over()
        assert robot.steps == 8
    assert robot.joins == {1}
    assert len(robot.driven) == 8
    assert robot.delays == {1: 3}
    assert robot.success is None
    assert robot.rewards < 0


def test_the_planner_process_is_told_what_the_planner_has(script):
    clock = script("delay", "wall_clock")
    settings = PlannerSettings(num_candidates=3, roll_out=True, temperature=0.1)
    assert clock.changed_numbers(settings) == {"num_candidates": 3, "roll_out": True, "temperature": 0.1}


@pytest.mark.slow
@pytest.mark.parametrize("delay", [1, 4])
def test_by_the_clock_an_environment_is_driven_by_plans(script, delay):
    clock = script("delay", "wall_clock")
    made = clock.make_agent([*MAZE, "planner.num_candidates=1"])
    made.protocol.most_steps = 60
    how = {"delay": delay, "waited": np.full(1, 10.0), "num_episodes": 1, "seed": 5000}
    found = clock.by_the_clock(made, bundled_weights() / "maze2d-umaze", **how)
    assert found["sources"]["plan"] > 0
    assert min(map(int, found["delays"])) >= 1
    assert found["ticks"] >= 60
