"""Benchmarks of worlds: figures are those of the newest file of each task, and those that are kept are current."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    """Imports a script of the folder by its name, as its neighbours do."""
    monkeypatch.syspath_prepend(str(FOLDER))
    yield __import__
    for name in ("world_tables", "worlds", "records"):
        sys.modules.pop(name, None)


def test_summaries_are_current():
    command = [sys.executable, str(FOLDER / "world_tables.py"), "--check"]
    assert subprocess.run(command, check=False).returncode == 0


def test_of_each_task_the_newest_file_counts(script):
    records = [
        {"task": "push", "date": "2026-02-01", "figures": {"push.bc": 2}},
        {"task": "push", "date": "2026-01-01", "figures": {"push.bc": 1, "push.old": 1}},
        {"task": "reach", "date": "2026-01-15", "figures": {"reach.bc": 3}},
    ]
    assert script("world_tables").summarize(records, {}) == {"push.bc": 2, "reach.bc": 3}


def test_rows_of_other_data_do_not_stand_beside_the_newest(script):
    def record(day, part, *sums):
        made = {"policies": [{"sha256": each} for each in sums]}
        return {"task": "walk", "part": part, "date": f"2026-01-{day:02}", "procedure": made, "figures": {part: day}}

    records = [record(1, "iql", "a", "b"), record(2, "cql", "a", "c"), record(3, "bc", "a", "c")]
    assert script("world_tables").summarize(records, {}) == {"bc": 3, "cql": 2}


def test_a_mean_of_tasks_is_told_once_all_of_them_are_measured(script):
    def record(task, mean):
        figure = {"mean": mean, "low": mean - 3, "high": mean + 4, "n": 50}
        return {"task": task, "date": "2026-01-01", "figures": {f"{task}.bc": figure}}

    tables, groups = script("world_tables"), {"mean": ["hop", "walk"]}
    assert "mean.bc" not in tables.summarize([record("hop", 1)], groups)
    found = tables.summarize([record("hop", 1), record("walk", 5)], groups)["mean.bc"]
    assert found == {"mean": 3, "low": pytest.approx(3 - 18**0.5 / 2), "high": pytest.approx(3 + 32**0.5 / 2), "n": 100}


def test_rows_that_were_measured_apart_stand_beside_the_newest_of_all_others(script):
    def record(day, part=None, **means):
        rows = {name: {"return": {"mean": mean, "low": 0, "high": 9, "n": 2}} for name, mean in means.items()}
        figures = {f"walk.{name}": mean for name, mean in means.items()}
        told = {"task": "walk", "date": f"2026-01-{day:02}", "figures": figures, "rows": rows, "file": f"{day}.json"}
        costs = {"trainings_of_rows": {name: name for name in means}, "cpu_seconds_of_training": {"iql 0": 240.0}}
        return told | costs | {"commit": "0" * 40} | ({} if part is None else {"part": part})

    records = [
        record(1, bc=1, old=1),
        record(2, "iql", iql=2),
        record(3, "bc", bc=3),
        record(4, bc=4, dfplan=4),
        record(5, "cql", cql=5),
        record(6, "cql", cql=6),
        record(7, "dfplan", dfplan=7),
    ]
    tables = script("world_tables")
    assert tables.summarize(records, {}) == {"walk.bc": 4, "walk.cql": 6, "walk.dfplan": 7, "walk.iql": 2}
    text = tables.table(records, {})
    found = {line.split(" | ")[1]: line.split(" | ")[2:] for line in text.splitlines() if line.startswith("| walk")}
    means = {name: float(cells[0].split()[0]) for name, cells in found.items()}
    assert means == {"bc": 4, "cql": 6, "dfplan": 7, "iql": 2}
    assert found["iql"][-1] == "4.0 |"
    assert re.findall(r"\[(\d)\.json\]", text) == ["2", "4", "7", "6"]


def test_a_row_counts_all_episodes_of_all_trainings(script):
    def record(*outcomes):
        episodes = [{"return": float(each), "success": each > 1} for each in outcomes]
        config = {"weights": "/somewhere/runs/push-bc-0"}
        named = {"plan_seconds": {}, "weights": {}, "config": config, "metrics": {"success_rate": {}}}
        return named | {"episodes": episodes, "d4rl_reference": {"random": 0, "expert": 10}}

    row = script("worlds").of_records([record(1, 2, 3), record(1, 1, 4)])
    assert row["return"]["mean"] == pytest.approx(2)
    assert row["score"]["mean"] == pytest.approx(20)
    assert row["success"]["mean"] == pytest.approx(0.5)
    assert row["success"]["n"] == 6
    assert row["config"] == {"weights": "push-bc-0"}
    assert row["of_each_training"] == [2, 2]
    np.testing.assert_allclose(row["success_of_each_training"], [2 / 3, 1 / 3])


def test_a_share_is_no_surer_than_its_trainings_agree(script):
    apart, alike = np.zeros((3, 100), bool), np.zeros((3, 100), bool)
    apart[0, :], alike[:, ::3] = True, True
    found, close = (script("worlds").successes(each) for each in (apart, alike))
    assert (found["mean"], found["low"]) == (1 / 3, 0)  # three trainings, of which one can
    assert found["high"] > 0.9
    assert 0.23 < close["low"] < 0.26  # of a hundred episodes, not of three hundred
    assert script("worlds").successes(np.ones((3, 100), bool))["low"] < 1
