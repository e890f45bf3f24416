"""Pictures of a maze from NumPy alone: no window, no OpenGL, the same pixels on every machine."""

from functools import lru_cache

import numpy as np

from dfplan_envs.mazes import BALL_RADIUS, CELL_CENTRE_OFFSET, Maze

PIXELS_PER_CELL = 48
_FLOOR, _WALL = (248, 250, 252), (75, 85, 99)
_GOAL, _BALL = (0, 158, 115), (0, 114, 178)  # two colours of Okabe and Ito, which colour-blind readers can tell apart
_GOAL_OPACITY, _RIM_OPACITY, _RIM_WIDTH = 0.25, 0.9, 0.04


def draw_frame(maze: Maze, *, ball: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """Draw the walls, the goal disc and the ball as the layout reads: x (row) downwards, y (column) to the right.

    Args:
        maze: the maze.
        ball: ``(2,)`` position.
        goal: ``(2,)`` position.

    Returns:
        ``(rows * 48, columns * 48, 3)`` uint8.
    """
    background, x, y = _background(maze)
    image = background.copy()
    goal_distance = np.hypot(x - goal[0], y - goal[1]) - maze.goal_radius
    ball_distance = np.hypot(x - ball[0], y - ball[1]) - BALL_RADIUS
    _blend(image, _GOAL, opacity=_GOAL_OPACITY * _coverage(goal_distance))
    _blend(image, _GOAL, opacity=_RIM_OPACITY * _coverage(np.abs(goal_distance) - _RIM_WIDTH / 2))
    _blend(image, _BALL, opacity=_coverage(ball_distance))
    return np.rint(image).astype(np.uint8)


@lru_cache(maxsize=16)
def _background(maze: Maze) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the empty maze ``(height, width, 3)`` and the x ``(height, 1)`` and y ``(1, width)`` of its pixels."""
    cells = np.where(maze.walls[..., None], np.array(_WALL, dtype=np.float64), np.array(_FLOOR, dtype=np.float64))
    image = cells.repeat(PIXELS_PER_CELL, axis=0).repeat(PIXELS_PER_CELL, axis=1)
    corner = CELL_CENTRE_OFFSET - 0.5
    x, y = (corner + (np.arange(length) + 0.5) / PIXELS_PER_CELL for length in image.shape[:2])
    return image, x[:, None], y[None, :]


def _coverage(signed_distance: np.ndarray) -> np.ndarray:
    """Turn the distance from a shape's edge (negative inside) into the share of a pixel that it covers."""
    return np.clip(0.5 - signed_distance * PIXELS_PER_CELL, 0.0, 1.0)


def _blend(image: np.ndarray, color: tuple[int, int, int], *, opacity: np.ndarray) -> None:
    image += opacity[..., None] * (np.array(color) - image)
