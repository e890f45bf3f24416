"""Five minutes of the soak of `benchmarks/realtime`: the real planner, the maze in another process, 20 Hz."""

import importlib
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks" / "realtime"
# A loop that the system lets go first misses nothing, however busy the machine is. One that has to wait its turn, as
# without the right to SCHED_FIFO, is held up by others now and then, for which it cannot be blamed. Nor can it for
# ticks that the robot, a process with the same priority and next to nothing to do, was kept from beginning in time.
MOST_MISSED_WITHOUT_PRIORITY = 0.01


@pytest.mark.slow
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
    allowed = 0 if found["real_time_priority"] else MOST_MISSED_WITHOUT_PRIORITY * found["ticks"]
    allowed += found["begun_late_by_the_robot"]
    assert found["missed"] <= allowed, found
    assert found["unanswered_by_the_robots_count"] <= allowed, found
    assert found["sources"]["plan"] > 0.5 * found["ticks"]  # on time by planning, not by standing still
    assert found["memory_growth_mb"] < 5
