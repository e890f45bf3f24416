"""The families and routes of benchmarks/tree, and that its figures are those of its result file."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from dfplan.cli.folders import bundled_weights
from dfplan.domains.maze.environment import load_maze
from dfplan.models import load_forcing_model

FOLDER = Path(__file__).parents[1] / "benchmarks" / "tree"


@pytest.fixture
def run(monkeypatch):
    for folder in (FOLDER.parent, FOLDER):
        monkeypatch.syspath_prepend(str(folder))
    for name in ("run", "cases"):
        sys.modules.pop(name, None)
    yield __import__("run")
    for name in ("run", "cases", "records", "worlds", "frame"):
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def maze():
    return load_maze("maze2d-large-v1")


@pytest.fixture(scope="module")
def model():
    return load_forcing_model(bundled_weights() / "maze2d-large")


def test_routes_are_cells_without_loops_until_plans_arrive(run):
    starts = np.array([[1.0, 1.0], [1.0, 1.0]])
    points = np.array([[[2.0, 1.0], [3.0, 1.0], [2.0, 1.0], [2.0, 2.0]], [[2.0, 1.0], [2.0, 2.0], [9.0, 9.0], [9, 9]]])
    found = run.routes(starts, points, num_steps=np.array([4, 2]), steps_per_point=1)
    assert found == [((1, 1), (2, 1), (2, 2))] * 2


def test_a_hidden_door_closes_the_shortest_way_and_leaves_another(run, maze, model):
    cases = run.hidden_doors(maze, model.support, seed=6000, count=6)
    found = {}
    for name in ("graph", "graph.untold"):
        method = run.FAMILIES["hidden_doors"][name]
        plans = [run.plan_one(method.planner(model, case), case, horizon=800)[0] for case in cases]
        found[name] = run.drive(cases, plans, model=model, maze=maze)
    assert all(each["success"] for each in found["graph"])
    assert all(each["entered"] and not each["success"] for each in found["graph.untold"])
    for case in cases:
        assert case.constraints.clearance(np.stack([case.start, case.goal])).min() >= 1.0


def test_dead_ends_have_no_doors(run, maze):
    cases = run.dead_ends(maze, seed=6000, count=4)
    assert not any(case.constraints for case in cases)


def test_what_plans_are_chosen_from_is_counted(run, model, maze):
    case = run.hidden_doors(maze, model.support, seed=6000, count=1)[0]
    small = {
        "tree": run.Method(says="", tree={"num_blind": 2}, settings={"num_candidates": 4}, nodes=8),
        "best_of_n": run.Method(says="", settings={"num_candidates": 4, **run.BLIND, **run.ALL}),
    }
    for name, method in small.items():
        plan, facts = run.plan_one(method.planner(model, case), case, horizon=320)
        assert facts["plans"] == {"tree": 8, "best_of_n": 4}[name]
        assert 1 <= facts["routes"] <= facts["plans"]
        assert facts["evaluations"] == plan.evaluations[0] > 0
        assert facts["cpu_ms"] > 0


def test_the_summary_is_that_of_the_result_files(run):
    for path, text in run.pages().items():
        assert path.read_text() == text
    figures = json.loads(run.SUMMARY.read_text())
    assert {name.split(".")[0] for name in figures} <= set(run.FAMILIES)
