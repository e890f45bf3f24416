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
    draw_disc(image, x, y, center=goal, radius=maze.goal_radius, color=_GOAL, opacity=_GOAL_OPACITY, rim=_RIM_OPACITY)
    draw_disc(image, x, y, center=ball, radius=BALL_RADIUS, color=_BALL, opacity=1.0)
    return np.rint(image, out=image).astype(np.uint8)


def blank(size: float, *, color: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """An empty square floor ``(pixels, pixels, 3)`` with an edge of ``size``, and the places of its pixels, an axis."""
    pixels = round(size * PIXELS_PER_CELL)
    return np.full((pixels, pixels, 3), color, dtype=np.float64), (np.arange(pixels) + 0.5) / PIXELS_PER_CELL


@lru_cache(maxsize=16)
def _background(maze: Maze) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the empty maze ``(height, width, 3)`` and the x ``(height,)`` and y ``(width,)`` of its pixels."""
    cells = np.where(maze.walls[..., None], np.array(_WALL, dtype=np.float64), np.array(_FLOOR, dtype=np.float64))
    image = cells.repeat(PIXELS_PER_CELL, axis=0).repeat(PIXELS_PER_CELL, axis=1)
    corner = CELL_CENTRE_OFFSET - 0.5
    x, y = (corner + (np.arange(length) + 0.5) / PIXELS_PER_CELL for length in image.shape[:2])
    return image, x, y


def draw_disc(
    image: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    *,
    center: np.ndarray,
    radius: float,
    color: tuple[int, int, int],
    opacity: float,
    rim: float = 0.0,
) -> None:
    """Blend a disc, and its rim, into the pixels around it: of all others it covers nothing."""
    reach = radius + _RIM_WIDTH + 2 / PIXELS_PER_CELL
    rows, columns = (
        slice(*np.searchsorted(each, (middle - reach, middle + reach)).tolist())
        for each, middle in zip((x, y), center, strict=True)
    )
    distance = np.hypot(x[rows, None] - center[0], y[None, columns] - center[1]) - radius
    pixels = image[rows, columns]
    for share in (opacity * _coverage(distance), rim * _coverage(np.abs(distance) - _RIM_WIDTH / 2)):
        pixels += share[..., None] * (np.array(color) - pixels)


def _coverage(signed_distance: np.ndarray) -> np.ndarray:
    """Turn the distance from a shape's edge (negative inside) into the share of a pixel that it covers."""
    return np.clip(0.5 - signed_distance * PIXELS_PER_CELL, 0.0, 1.0)
