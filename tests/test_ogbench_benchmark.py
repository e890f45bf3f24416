"""The benchmark of OGBench's point mazes: its figures have the names that are asked for, and seconds beside them."""

import argparse
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks" / "ogbench"


@pytest.fixture
def benchmark(monkeypatch):
    for folder in (FOLDER.parent, FOLDER):
        monkeypatch.syspath_prepend(str(folder))
    sys.modules.pop("run", None)
    yield __import__("run")
    for name in ("run", "records", "worlds", "frame"):
        sys.modules.pop(name, None)


def test_figures_are_successes_and_median_seconds(benchmark, monkeypatch, tmp_path):
    name = "pointmaze-giant-stitch"
    (tmp_path / f"{name}.hdf5").touch()  # so that none are made
    asked = {}

    def measured(task, env_id, data, arguments, *, trainings, rows):
        asked.update(task=task, env_id=env_id, rows=list(rows))
        success = {"mean": 0.9, "low": 0.8, "high": 1.0, "n": 300}
        seconds = {"dfplan": [0.3, 0.9, 0.5], "grid": [0.1] * 3, "bc": [None] * 3}
        plans = {row: [{"an_episode": each} for each in seconds[row]] for row in rows}
        return {"rows": {row: {"success": success, "plan_seconds": plans[row]} for row in rows}}

    monkeypatch.setattr(benchmark, "measure", measured)
    arguments = argparse.Namespace(runs=tmp_path, rows=list(benchmark.ROWS))
    found = benchmark.measure_one(name, arguments)
    figures = found["figures"]
    assert asked == {"task": name, "env_id": f"ogbench/{name}-v0", "rows": ["dfplan", "grid", "bc"]}
    assert set(figures) == {
        name,
        f"{name}.seconds_an_episode",
        f"{name}.grid",
        f"{name}.grid.seconds_an_episode",
        f"{name}.bc",
    }
    assert figures[f"{name}.seconds_an_episode"] == 0.5
    assert figures[name]["mean"] == 0.9
    assert found["rows"]["dfplan"]["seconds_an_episode"] == {"median": 0.5, "low": 0.3, "high": 0.9}


def test_what_is_not_trained_meets_the_episodes_once(benchmark):
    arguments = argparse.Namespace(runs=Path("runs"), trainings=[0, 1, 2])
    words_of = sys.modules["worlds"].words_of
    counts = {name: len(list(words_of(row, "maze", arguments=arguments))) for name, row in benchmark.ROWS.items()}
    assert counts == {"dfplan": 3, "grid": 1, "bc": 3}


def test_there_are_eight_data_sets_each_with_an_experiment(benchmark):
    assert len(benchmark.WORLDS) == 8
    experiments = FOLDER.parents[1] / "configs" / "experiment"
    assert all((experiments / f"{name}.yaml").is_file() for name in benchmark.WORLDS)
