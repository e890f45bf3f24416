"""Pairs of start and goal of each family, the routes of plans, and what is driven along plans."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dfplan.domains.maze.beginnings import draw_beginnings
from dfplan.domains.maze.environment import qualified_id
from dfplan.domains.maze.shooting import ShootingTracker
from dfplan.evaluation.batches import begin_batch
from dfplan.planner.constraints import Constraints
from dfplan.scorers import steps_along
from dfplan.scorers.visited_grid import VisitedGrid
from dfplan.types import Plan

LEAST_MOVES = 60  # of 0.1 units from start to goal where a door closes
CLEAR = 1.0  # environment units from a door to start and goal
LONGER = 1.3  # times as long is the way that is left, at least
WALL = (-0.8, 0.4)  # where the ball's centre cannot be if a cell were a wall, from its integer coordinates
MARGIN = 0.1  # environment units that ways which know of the door keep from it


@dataclass(frozen=True)
class Case:
    """One pair.

    Attributes:
        number: of the case.
        start, goal: positions ``(2,)``.
        door: the cell that is closed, a box ``(x1, y1, x2, y2)``; None where all are open.
    """

    number: int
    start: np.ndarray
    goal: np.ndarray
    door: tuple[float, ...] | None = None

    @property
    def constraints(self) -> Constraints:
        """What the door forbids."""
        return Constraints(keep_out=[] if self.door is None else [self.door])


def dead_ends(maze: Any, *, seed: int, count: int) -> list[Case]:
    """Pairs of ``goal=detour``: the straight line leads into dead ends."""
    drawn = draw_beginnings(range(count), maze=maze, goal="detour", seed=seed)
    assert drawn.goals is not None
    return [Case(number, *pair) for number, pair in enumerate(zip(drawn.starts, drawn.goals, strict=True))]


def hidden_doors(maze: Any, support: Any, *, seed: int, count: int) -> list[Case]:
    """Pairs of which a cell halfway along the shortest way is closed, and a way is left that is no little longer."""
    grid, generator, found = VisitedGrid(support, margin=0.3), np.random.default_rng([seed]), []
    while len(found) < count:
        cells = maze.free_cells[generator.choice(len(maze.free_cells), size=2, replace=False)]
        start, goal = cells + generator.uniform(-0.1, 0.1, size=(2, 2))
        path = _shortest(grid, start, goal)
        if path is None or len(path) < LEAST_MOVES:
            continue
        cell = np.round(path[len(path) // 2] + 0.2)
        door = (*(cell + WALL[0]).tolist(), *(cell + WALL[1]).tolist())
        case = Case(len(found), start, goal, door)
        around = _shortest(VisitedGrid(case.constraints.restrict(support, margin=MARGIN), margin=0.3), start, goal)
        clear = case.constraints.clearance(np.stack([start, goal])).min() >= CLEAR
        if clear and around is not None and len(around) >= LONGER * len(path):
            found.append(case)
    return found


def _shortest(grid: VisitedGrid, start: np.ndarray, goal: np.ndarray) -> np.ndarray | None:
    """Points ``(moves, 2)`` of the shortest way; None where there is none."""
    cells = grid.nearest(np.stack([start, goal]))
    path, counts = grid.paths(cells[:1], cells[1:])
    return grid.centers[path[0, : counts[0]]] if path[0, counts[0] - 1] == cells[1] else None


def routes(
    starts: np.ndarray, states: np.ndarray, *, num_steps: np.ndarray, steps_per_point: int
) -> list[tuple[tuple[int, ...], ...]]:
    """The cells that plans pass before they arrive or end, without loops: what tells one route from another.

    Args:
        starts: ``(plans, 2)``.
        states: ``(plans, points, 2)``.
        num_steps: ``(plans,)`` that count.
        steps_per_point: between two points.
    """
    places = steps_along(starts, states, steps_per_point=steps_per_point)
    cells = np.round(np.concatenate([starts[:, None], places], axis=1) + 0.2).astype(int)
    found = []
    for row, last in zip(cells, num_steps.tolist(), strict=True):
        route: dict[tuple[int, ...], None] = {}
        for cell in map(tuple, row[: last + 1].tolist()):
            while cell in route and next(reversed(route)) != cell:
                route.popitem()
            route[cell] = None
        found.append(tuple(route))
    return found


def drive(cases: Sequence[Case], plans: Sequence[Plan], *, model: Any, maze: Any) -> list[dict[str, Any]]:
    """Drive along one plan an episode to its end, all cases side by side; a door that is entered ends it."""
    goals = np.stack([case.goal for case in cases])
    tracker = ShootingTracker(model.dynamics, goal_radius=model.goal_radius)
    env, observations, _ = begin_batch(
        qualified_id(f"maze2d-{maze.name}-v1"),
        vectorization="batched",
        options={"goal": "fixed"},
        seeds=[case.number for case in cases],
        wishes={"start": np.stack([case.start for case in cases]), "goal": goals},
    )
    tracker.reset(goals)
    for row, plan in enumerate(plans):
        tracker.follow(plan, indices=np.array([row]), observations=observations[row : row + 1])
    touch, entry = np.full(len(cases), np.inf), np.full(len(cases), np.inf)
    for step in range(1, maze.max_episode_steps + 1):
        observations, _, _, _, info = env.step(tracker.act(observations))
        inside = [case.constraints.clearance(place) < 0 for case, place in zip(cases, observations[:, :2], strict=True)]
        entry[np.array(inside)] = np.minimum(entry[np.array(inside)], step)
        at_goal = np.array(info["success"], bool)
        touch[at_goal] = np.minimum(touch[at_goal], step)
    env.close()
    return [
        {"success": bool(t < e), "first_touch": int(t) if t < e else None, "entered": bool(e < np.inf)}
        for t, e in zip(touch, entry, strict=True)
    ]
