"""Where an episode starts and what it must reach: D4RL's draws, or the caller's wishes once they are checked."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from dfplan_envs.mazes import Maze

GOALS = ("fixed", "random")
_NOISE = 0.1  # starts and random goals lie uniformly within this distance, per axis, of a cell's integer coordinates
# The ball's radius is 0.1, but driven at a wall it enters it by up to 0.035: such a recorded state is a valid start.
_SMALLEST_CLEARANCE = 0.05


@dataclass(frozen=True)
class Beginning:
    """The state ``(x, y, vx, vy)`` and the goal ``(x, y)`` that an episode begins with."""

    state: tuple[float, float, float, float]
    goal: tuple[float, float]


def draw_beginning(
    maze: Maze, *, goal_mode: str, generator: np.random.Generator, start: Any = None, goal: Any = None
) -> Beginning:
    """Draw an episode as D4RL does, except for what the caller sets.

    The same numbers are drawn whatever the caller sets, so that fixing a start does not move the random goal. The
    velocity is always drawn, 0.1 * normal.

    Args:
        maze: where it takes place.
        goal_mode: "fixed" (the maze's own goal cell) or "random" (any free cell ± 0.1, known as Multi2D).
        generator: source of all randomness.
        start: None for a random free cell ± 0.1; ``(x, y)`` for exactly there; ``{"cell": (i, j)}`` for a cell ± 0.1.
        goal: None for what ``goal_mode`` says; ``(x, y)`` for exactly there.

    Raises:
        ValueError: a start or goal is malformed or inside a wall.
    """
    start_cell = maze.free_cells[generator.integers(len(maze.free_cells))]
    start_noise = generator.uniform(-_NOISE, _NOISE, size=2)
    velocity = 0.1 * generator.standard_normal(2)
    if isinstance(start, dict):
        start_cell, start = _checked_cell(maze, start), None
    position = start_cell + start_noise if start is None else checked_start(maze, start)
    if goal is not None:
        target = checked_goal(maze, goal)
    elif goal_mode == "random":
        target = maze.free_cells[generator.integers(len(maze.free_cells))] + generator.uniform(-_NOISE, _NOISE, size=2)
    else:
        target = np.array(maze.goal_cell)
    x, y, vx, vy, goal_x, goal_y = np.concatenate([position, velocity, target]).tolist()
    return Beginning((x, y, vx, vy), (goal_x, goal_y))


def checked_start(maze: Maze, start: Any) -> np.ndarray:
    """Return a start as ``(2,)`` float64, or raise a ValueError if the ball would stand in a wall there."""
    point = _checked_point("start", start)
    around = point + _SMALLEST_CLEARANCE * np.array([(1, 0), (-1, 0), (0, 1), (0, -1)])
    if maze.contains_wall(around).any():
        raise ValueError(_in_wall(maze, point, "start"))
    return point


def checked_goal(maze: Maze, goal: Any) -> np.ndarray:
    """Return a goal as ``(2,)`` float64, or raise a ValueError if it lies inside a wall."""
    point = _checked_point("goal", goal)
    if maze.contains_wall(point):
        raise ValueError(_in_wall(maze, point, "goal"))
    return point


def check_goal_mode(goal_mode: str) -> str:
    """Return the mode, or raise a ValueError that names the modes there are."""
    if goal_mode not in GOALS:
        raise ValueError(f"goal must be 'fixed' (the maze's own) or 'random' (Multi2D); got {goal_mode!r}")
    return goal_mode


def check_options(options: dict[str, Any] | None, *, allowed: tuple[str, ...]) -> dict[str, Any]:
    """Return the options of a reset, or raise a ValueError for a name that would be ignored."""
    options = dict(options or {})
    unknown = sorted(set(options) - set(allowed))
    if unknown:
        raise ValueError(f"unknown reset option {unknown[0]!r}; allowed are {', '.join(allowed)}")
    return options


def _checked_point(what: str, point: Any) -> np.ndarray:
    try:
        array = np.asarray(point, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.empty(0)
    if array.shape != (2,) or not np.isfinite(array).all():
        raise ValueError(f"{what} must be two finite numbers (x, y), x the row and y the column; got {point!r}")
    return array


def _checked_cell(maze: Maze, start: dict[str, Any]) -> np.ndarray:
    if set(start) != {"cell"}:
        raise ValueError(f"start must be (x, y) or {{'cell': (row, column)}}; got {start!r}")
    cell = _checked_point("start cell", start["cell"])
    if not (maze.free_cells == cell).all(axis=1).any():
        nearest = maze.free_cells[np.linalg.norm(maze.free_cells - cell, axis=1).argmin()]
        raise ValueError(
            f"start cell ({cell[0]:g}, {cell[1]:g}) is not a free cell of maze {maze.name}; "
            f"the nearest is ({nearest[0]}, {nearest[1]})"
        )
    return cell


def _in_wall(maze: Maze, point: np.ndarray, what: str) -> str:
    near = maze.nearest_free_point(point)
    return (
        f"{what} ({point[0]:g}, {point[1]:g}) is in a wall of maze {maze.name}; "
        f"the nearest free point is ({near[0]:.2f}, {near[1]:.2f})"
    )
