"""The benchmark of memory: its tables are those of its files, and a control that knows nothing is in it."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks" / "memory"


def script(name):
    spec = importlib.util.spec_from_file_location(f"memory_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_of_the_readme_are_those_of_the_files():
    tables = script("tables")
    shown = tables.README.read_text().split(tables.BEGIN)[1].split(tables.END)[0]
    assert shown.strip() == tables.tables().strip(), "run benchmarks/memory/tables.py and commit the README"


def test_a_line_of_a_table_adds_its_trainings_up():
    parts = [
        {"episodes": 200, "correct": 190, "wrong_arm": 8, "no_arm": 2, "success": {"mean": 0.95}},
        {"episodes": 200, "correct": 200, "wrong_arm": 0, "no_arm": 0, "success": {"mean": 1.0}},
    ]
    row = {
        "row": "memory",
        "success": {"mean": 0.975, "low": 0.95, "high": 0.99},
        "lost": {"mean": 0.02, "low": -0.01, "high": 0.05},
        "by_training": dict(zip("01", parts, strict=True)),
    }
    expected = "| memory | 97.5 [95.0, 99.0] | 95.0 100.0 | 2.0 [-1.0, 5.0] | 2.0 | 0.5 |"
    assert script("tables").line_of(row) == expected


def test_an_interval_is_over_trainings_and_episodes_and_never_nothing():
    run = script("run")
    right = np.ones((3, 200))
    found = run.interval(right)
    assert (found.mean, found.high) == (1, 1)
    assert 0.97 < found.low < 0.99
    none = run.interval(0 * right)
    assert (none.mean, none.low) == (0, 0)
    assert none.high == pytest.approx(1 - found.low)
    right[2, :40] = 0  # one training in three is worse: another three may be worse still
    found = run.interval(right)
    assert found.low < 0.8 < found.mean < found.high


@pytest.mark.parametrize("path", sorted(FOLDER.glob("results/*.json")), ids=lambda path: path.name)
def test_a_file_counts_every_episode(path):
    record = json.loads(path.read_text())
    assert {row["row"] for row in record["rows"]} == set(script("run").ROWS)
    for row in record["rows"]:
        for found in row["by_training"].values():
            assert found["correct"] + found["wrong_arm"] + found["no_arm"] == found["episodes"]
