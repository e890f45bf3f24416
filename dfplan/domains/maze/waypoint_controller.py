"""The scripted driver behind the maze2d data: it plans on the grid and follows way-points with a PD law."""

import math
from collections import deque
from collections.abc import Callable

import numpy as np

Cell = tuple[int, int]

# Ties between equally short ways go to the first of these, as in D4RL's Q-iteration on the grid.
_MOVES: tuple[Cell, ...] = ((0, -1), (0, 1), (-1, 0), (1, 0))
_THRESHOLD = 0.1
_POSITION_GAIN = 10.0
_VELOCITY_GAIN = -1.0


class GridPlanner:
    """Shortest ways over the cells of a maze, remembered per goal."""

    def __init__(self, walls: np.ndarray) -> None:
        self._free = {(int(i), int(j)) for i, j in np.argwhere(~walls)}
        self._distances: dict[Cell, dict[Cell, int]] = {}
        self._paths: dict[tuple[Cell, Cell], list[Cell]] = {}

    def path(self, start: Cell, goal: Cell) -> list[Cell]:
        """Return the cells after ``start`` up to and with ``goal``; ``[goal]`` if they are the same.

        Rounding can put a ball that touches a wall into the wall's cell, so a way may start in
        a wall; it never enters one.
        """
        if (start, goal) not in self._paths:
            self._paths[start, goal] = self._descend(start, goal)
        return self._paths[start, goal]

    def _descend(self, start: Cell, goal: Cell) -> list[Cell]:
        if goal not in self._distances:
            self._distances[goal] = self._flood(goal)
        distances = self._distances[goal]
        if start == goal:
            return [goal]
        path, cell = [], start
        while cell != goal:
            reachable = [near for near in _neighbours(cell) if near in distances]
            if not reachable:
                raise ValueError(f"no way from cell {start} to cell {goal}")
            cell = min(reachable, key=distances.__getitem__)  # min keeps the first of equals
            path.append(cell)
        return path

    def _flood(self, goal: Cell) -> dict[Cell, int]:
        distances, frontier = {goal: 0}, deque([goal])
        while frontier:
            cell = frontier.popleft()
            for near in _neighbours(cell):
                if near in self._free and near not in distances:
                    distances[near] = distances[cell] + 1
                    frontier.append(near)
        return distances


class WaypointController:
    """D4RL's ``WaypointController``: a new plan if the goal's cell changes, else PD towards the current way-point.

    All way-points but the last are jittered around their cell's centre; the last is the integer goal cell, so that the
    noise of the goal within its cell is ignored.
    """

    def __init__(self, walls: np.ndarray, *, draw_uniform: Callable[[], float]) -> None:
        """Prepare for a maze.

        Args:
            walls: ``(rows, columns)`` bool.
            draw_uniform: returns the next uniform number in [0, 1).
        """
        self._planner = GridPlanner(walls)
        self._draw_uniform = draw_uniform
        self._goal_cell: Cell | None = None
        self._waypoints: list[tuple[float, float]] = []
        self._index = 0
        self._previous: tuple[float, float] = (0.0, 0.0)

    def act(self, x: float, y: float, vx: float, vy: float, goal_x: float, goal_y: float) -> tuple[float, float, bool]:
        """Return the clipped force per axis, and whether the goal cell's integer point is reached."""
        goal_cell = (round(goal_x), round(goal_y))
        if goal_cell != self._goal_cell:
            self._plan((round(x), round(y)), goal_cell)
        # The jump since the last call, not a velocity: large only right after a plan, when it counts from the cell.
        settled = math.hypot(self._previous[0] - x, self._previous[1] - y) < _THRESHOLD
        solved = settled and math.hypot(x - goal_cell[0], y - goal_cell[1]) < _THRESHOLD
        target_x, target_y = goal_cell if solved else self._waypoints[self._index]
        if settled and not solved and math.hypot(x - target_x, y - target_y) < _THRESHOLD:
            self._index += 1
        self._previous = (x, y)
        force_x = _POSITION_GAIN * (target_x - x) + _VELOCITY_GAIN * vx
        force_y = _POSITION_GAIN * (target_y - y) + _VELOCITY_GAIN * vy
        return max(-1.0, min(1.0, force_x)), max(-1.0, min(1.0, force_y)), solved

    def _plan(self, start: Cell, goal: Cell) -> None:
        *inner, last = self._planner.path(start, goal)
        jitter = self._draw_uniform
        self._waypoints = [(i - 0.2 * jitter(), j - 0.2 * jitter()) for i, j in inner]
        self._waypoints.append((float(last[0]), float(last[1])))
        self._index = 0
        self._previous = (float(start[0]), float(start[1]))
        self._goal_cell = goal


def _neighbours(cell: Cell) -> list[Cell]:
    return [(cell[0] + i, cell[1] + j) for i, j in _MOVES]
