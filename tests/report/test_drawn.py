"""What is drawn of episodes, plans and trees is little, keeps both ends, and is plain JSON."""

import json

import numpy as np
import pytest

from dfplan.domains.find import find_domain
from dfplan.planner import GuidanceSettings
from dfplan.types import Plan
from dfplan.viz.page.drawn import MOST_PLANS, MOST_POINTS, MOST_ROWS, drawn_episode, drawn_plan, drawn_scene, drawn_tree
from dfplan.viz.plan_trees import DrawnPlan

SCENE = find_domain("maze2d-umaze-v1").protocol().scene()


def plan_of(*, rows: int, points: int) -> Plan:
    generator = np.random.default_rng(0)
    history = generator.normal(size=(rows, 1, points, 4)).astype(np.float32)
    history[0, 0, 0] = np.nan
    zeros = np.zeros((1, points))
    return Plan(
        history[-1], np.zeros((1, points, 2)), zeros, np.array([3]), np.array([points]), np.zeros(1), 1, history
    )


def test_a_scene_has_walls_where_the_ball_cannot_be():
    maze = find_domain("maze2d-umaze-v1").maze
    for left, top, width, height in drawn_scene(SCENE)["blocks"]:
        assert maze.contains_wall(np.array([top + height / 2, left + width / 2]))
    free = maze.free_cells[0]
    inside = [
        left < free[1] < left + width and top < free[0] < top + height
        for left, top, width, height in drawn_scene(SCENE)["blocks"]
    ]
    assert not any(inside)


def test_what_must_be_kept_is_drawn_where_it_is():
    guidance = GuidanceSettings(keep_out=[[1, 2, 0.4]], keep_in=[[0, 0, 3, 4]], waypoints=[[2, 1]])
    shown = drawn_scene(SCENE, guidance)
    assert shown["keep_out"] == [{"center": [2, 1], "radius": 0.4}]  # y to the right, x downwards
    assert shown["keep_in"] == [{"low": [0, 0], "high": [4, 3]}]
    assert shown["waypoints"] == [[1, 2]]


@pytest.mark.parametrize("steps", [1, 3, 400, 401, 1000, 7777])
@pytest.mark.parametrize("scene", [SCENE, None])
def test_an_episode_of_any_length_is_drawn_from_its_start_to_its_end(steps, scene):
    states = np.arange(4 * (steps + 1), dtype=np.float32).reshape(-1, 4)
    shown = drawn_episode(states, np.array([1.0, 2.0]), scene)
    assert (shown["steps"][0], shown["steps"][-1]) == (0, steps)
    assert len(shown["steps"]) <= MOST_POINTS + 2
    if scene is not None:
        assert shown["points"][-1] == [states[-1, 1], states[-1, 0]]
    else:
        assert [len(line) for line in shown["lines"]] == [len(shown["steps"])] * 4
    json.dumps(shown, allow_nan=False)


def test_frames_are_no_numbers_over_time():
    assert drawn_episode(np.zeros((3, 12288)), np.zeros(0), None) is None


@pytest.mark.parametrize("rows", [4, 1000])
@pytest.mark.parametrize("scene", [SCENE, None])
def test_a_plan_is_drawn_row_by_row(rows, scene):
    plan, matrix = plan_of(rows=rows, points=300), np.zeros((rows + 1, 300), int)
    shown = drawn_plan(plan, matrix, start=np.zeros(4), goal=np.array([1.0, 1.0]), scene=scene)
    assert (shown["rows"][0], shown["rows"][-1]) == (1, rows)
    assert len(shown["rows"]) <= MOST_ROWS
    assert len(shown["levels"]) == rows + 1
    kept = shown["points" if scene else "lines"]
    assert len(kept) == len(shown["rows"])
    assert len(json.dumps(shown, allow_nan=False)) < 1_500_000


def test_of_a_large_tree_the_best_plans_are_kept_with_all_that_they_left():
    generator, plans = np.random.default_rng(0), []
    for number in range(2000):
        parent = -1 if number < 16 else int(generator.integers(number))
        plans.append(DrawnPlan(generator.normal(size=(5, 2)), parent, 3, 9, True, float(generator.random()), 1))
    shown = drawn_tree(plans, start=np.zeros(4), goal=np.ones(2), scene=SCENE)
    assert len(shown["nodes"]) <= MOST_PLANS + 20
    best = shown["nodes"][shown["best"]]
    assert best["value"] == round(max(plan.value for plan in plans), 4)
    for index, node in enumerate(shown["nodes"]):
        assert node["parent"] < index
        expected = plans[node["number"]].parent
        assert (shown["nodes"][node["parent"]]["number"] if node["parent"] >= 0 else -1) == expected
