"""Episodes, plans and trees as few plain numbers, which the scripts of a page draw."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from dfplan.protocol import Scene
from dfplan.types import Plan
from dfplan.viz.plan_trees import DrawnPlan

MOST_POINTS = 400  # of a way that are drawn
MOST_ROWS = 160  # of a scheduling matrix that are shown
MOST_PLANNED = 120  # points of a plan
MOST_LINES = 6  # numbers of a state that are drawn over time, as many as there are colours
MOST_PLANS = 400  # of a tree
DIGITS = 3  # behind the point of places; elsewhere as many that count


def drawn_scene(scene: Scene | None, guidance: Any | None = None) -> dict[str, Any] | None:
    """A scene, with the regions and way-points of :class:`~dfplan.planner.GuidanceSettings` in it."""
    if scene is None:
        return None
    shown: dict[str, Any] = {
        "limits": list(scene.limits),
        "blocks": [list(each) for each in scene.blocks],
        "radius": scene.goal_radius,
    }
    if guidance is not None:
        shown["keep_out"] = [_region(each, scene) for each in guidance.keep_out]
        shown["keep_in"] = [_region(each, scene) for each in guidance.keep_in]
        shown["waypoints"] = _places(np.asarray(guidance.waypoints, float).reshape(-1, 2), scene)
    return shown


def drawn_episode(states: np.ndarray, goal: np.ndarray, scene: Scene | None) -> dict[str, Any] | None:
    """A way through a scene, or numbers over time; None where states are too large to be either, as frames are.

    Args:
        states: ``(steps + 1, n)``.
        goal: ``(goal_dim,)``.
        scene: None where states are no places.
    """
    every = max(1, -(-(len(states) - 1) // MOST_POINTS))
    rows = np.unique(np.append(np.arange(0, len(states), every), len(states) - 1))
    shown: dict[str, Any] = {"steps": rows.tolist()}
    if scene is not None:
        return shown | {"points": _places(states[rows], scene), "goal": _goal(goal, scene)}
    if states.shape[1] > 1000:
        return None
    return shown | {"lines": _lines(states[rows])}


def drawn_plan(
    plan: Plan, matrix: np.ndarray, *, start: np.ndarray, goal: np.ndarray, scene: Scene | None
) -> dict[str, Any]:
    """The first plan of a batch, as it was after every row of its scheduling matrix.

    Args:
        plan: with its history: ``history[k]`` was reached with row ``k + 1``.
        matrix: ``(rows, tokens)`` levels.
        start: ``(observation_dim,)`` planned from.
        goal: ``(goal_dim,)``.
        scene: None where states are no places.
    """
    assert plan.history is not None
    every = max(1, -(-plan.history.shape[2] // MOST_PLANNED))
    history = plan.history[:, 0, every - 1 :: every]
    rows = np.unique(np.linspace(0, len(history) - 1, min(len(history), MOST_ROWS)).round().astype(int))
    matrix = matrix[: len(history) + 1]
    steps = every * plan.steps_per_point * np.arange(1, history.shape[1] + 1)
    shown: dict[str, Any] = {
        "rows": (rows + 1).tolist(),
        "levels": matrix.astype(int).tolist(),
        "most": int(matrix.max()),
        "steps": steps.tolist(),
        "arrival": int(plan.arrival[0]),
        "num_steps": int(plan.num_steps[0]),
    }
    if scene is not None:
        return shown | {
            "points": [_places(history[row], scene) for row in rows],
            "start": _places(start[None], scene)[0],
            "goal": _goal(goal, scene),
        }
    return shown | {"lines": [_lines(history[row]) for row in rows], "start": _numbers(start[:MOST_LINES])}


def drawn_tree(plans: Sequence[DrawnPlan], *, start: np.ndarray, goal: np.ndarray, scene: Scene | None) -> dict:
    """A tree of plans, and which of them is the best; of a large one those of the most value, and what leads to them.

    Args:
        plans: a parent comes before its children.
        start: ``(observation_dim,)`` planned from.
        goal: ``(goal_dim,)``.
        scene: None where states are no places.
    """
    best = int(np.argmax([plan.value for plan in plans]))
    kept: set[int] = set()
    for index in np.argsort([-plan.value for plan in plans], kind="stable").tolist():
        if len(kept) >= MOST_PLANS:
            break
        while index >= 0 and index not in kept:
            kept.add(index)
            index = plans[index].parent
    numbers = sorted(kept)
    place = {number: index for index, number in enumerate(numbers)}
    nodes = [
        {
            "number": number,
            "parent": place.get(plans[number].parent, -1),
            "from": plans[number].first_step,
            "to": plans[number].last_step,
            "arrives": plans[number].arrives,
            "value": round(plans[number].value, 4),
            "visits": plans[number].visits,
            **({} if scene is None else {"points": _places(plans[number].path, scene)}),
        }
        for number in numbers
    ]
    ends = {} if scene is None else {"start": _places(start[None], scene)[0], "goal": _goal(goal, scene)}
    return {"nodes": nodes, "best": place[best], "plans": len(plans), **ends}


def _places(states: np.ndarray, scene: Scene) -> list[list[float | None]]:
    return [[_number(row[scene.right], DIGITS), _number(row[scene.down], DIGITS)] for row in states]


def _goal(goal: np.ndarray, scene: Scene) -> list[float | None] | None:
    """Where it is; None where none is told."""
    return _places(goal[None], scene)[0] if goal.size > max(scene.right, scene.down) and goal.any() else None


def _region(region: Any, scene: Scene) -> dict[str, Any]:
    """A disc or a box of :mod:`dfplan.planner.regions`."""
    from dfplan.planner.regions import Disc, as_region

    found = as_region(region)
    if isinstance(found, Disc):
        return {"center": _places(np.array([found.center]), scene)[0], "radius": float(found.radius)}
    low, high = np.array(found.low), np.array(found.high)
    return {"low": _places(low[None], scene)[0], "high": _places(high[None], scene)[0]}


def _lines(states: np.ndarray) -> list[list[float | None]]:
    """Numbers over time, one list each of the first."""
    return [_numbers(each) for each in states[:, :MOST_LINES].T]


def _numbers(values: np.ndarray) -> list[float | None]:
    return [None if not np.isfinite(value) else float(f"{value:.4g}") for value in values.tolist()]


def _number(value: float, digits: int) -> float | None:
    return round(float(value), digits) if np.isfinite(value) else None
