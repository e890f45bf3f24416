"""The figures of benchmarks/constraints are those of its result files, and meet its bars."""

import importlib.util
import json
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks" / "constraints"


@pytest.fixture(scope="module")
def tables():
    spec = importlib.util.spec_from_file_location("constraint_tables", FOLDER / "tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_summary_is_that_of_the_result_files(tables):
    found = tables.summarize(tables.newest(tables.load(FOLDER / "results")))
    assert json.loads((FOLDER / "summary.json").read_text()) == json.loads(json.dumps(found))


def test_the_bars_are_met():
    figures = json.loads((FOLDER / "summary.json").read_text())
    for maze in ("medium", "large"):
        assert figures[f"{maze}.plans_joint"]["mean"] >= 0.95
        assert figures[f"{maze}.rollouts_joint"]["mean"] >= 0.90
        assert figures[f"{maze}.plans_joint"]["n"] == figures[f"{maze}.rollouts_joint"]["n"] == 100
    assert figures["large.points_in_walls"] <= 0.01
    assert figures["large.cpu_seconds_a_plan"] <= 1.0


def test_of_two_controllers_the_one_that_keeps_fewer_counts(tables):
    def driven(broken):
        return {"broken": broken, "success": True}

    case = {"broken": [], "arrives": True, "points": 10, "points_in_walls": 1, "cpu_seconds": 0.5}
    cases = [
        case | {"pursuit": driven([]), "actions": driven(["keep_out"])},
        case | {"pursuit": driven([]), "actions": driven([])},
    ]
    row = {"maze": "large", "parts": ["keep_out", "waypoint", "speed"], "method": "routes", "cases": cases}
    figures = tables.summarize([row | {"seed": 0}])
    assert figures["large.rollouts_joint"]["mean"] == 0.5
    assert figures["large.plans_joint"]["mean"] == 1.0
    assert figures["large.points_in_walls"] == pytest.approx(0.1)
    assert tables.summarize([row | {"seed": 1000}]) == {}
