"""Five minutes of the soak of `benchmarks/realtime`: the real planner, the maze in another process, 20 Hz."""

import importlib
import sys
from pathlib import Path

import pytest
from fake_planner import needs_a_quiet_machine

FOLDER = Path(__file__).parents[2] / "benchmarks" / "realtime"


@pytest.mark.slow
@needs_a_quiet_machine
def test_five_minutes_without_a_missed_tick(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.syspath_prepend(str(FOLDER.parents[1] / "examples"))
    modules = set(sys.modules)
    try:
        found = importlib.import_module("run").soak(minutes=5)
    finally:
        for name in set(sys.modules) - modules:
            if any((folder / f"{name}.py").is_file() for folder in (FOLDER, FOLDER.parents[1] / "examples")):
                del sys.modules[name]
    assert found["ticks"] >= 5600
    assert found["missed"] == 0
    assert found["unanswered_by_the_robots_count"] == 0
    assert found["memory_growth_mb"] < 5
