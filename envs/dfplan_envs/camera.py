"""What a camera above a maze sees, from NumPy alone: many small frames at once, the same bytes on every machine."""

import math
from typing import Protocol

import numpy as np

from dfplan_envs.mazes import BALL_RADIUS, CELL_CENTRE_OFFSET, Maze

IMAGE_SIZE = 64
VIEWS = ("top", "egocentric", "mujoco")
FLOOR_COLOR, WALL_COLOR, BALL_COLOR = (248, 250, 252), (75, 85, 99), (213, 94, 0)
# The ball of the physics has a radius of 0.1: half a pixel of the large maze. Cameras draw it at least this big.
SMALLEST_BALL_RADIUS = 2.0  # pixels
EGOCENTRIC_REACH = 1.5  # cells to each side


class Camera(Protocol):
    """Turns positions of the ball into frames.

    Attributes:
        pixels_per_unit: pixels of a frame to a unit of length, on both axes.
    """

    pixels_per_unit: float

    def render(self, positions: np.ndarray) -> np.ndarray:
        """Return frames ``(..., 64, 64, 3)`` uint8 of the ball at ``(..., 2)``; row is the x axis, column the y axis.

        A frame depends on its position alone: bit for bit the same, however many are rendered with it.
        """
        ...


def build_camera(maze: Maze, *, view: str = "top") -> Camera:
    """Build one of the views of a maze.

    Args:
        maze: what is looked at.
        view: "top" (all of the maze from above), "egocentric" (1.5 cells around the ball, so that most of the maze is
            out of sight) or "mujoco" (all of the maze as MuJoCo draws it: other colours, perspective and light).

    Raises:
        ValueError: there is no such view.
        RuntimeError: "mujoco" needs OpenGL and finds none.
    """
    if view == "top":
        return TopCamera(maze)
    if view == "egocentric":
        return EgocentricCamera(maze)
    if view == "mujoco":
        from dfplan_envs.mujoco_camera import MujocoCamera  # the only view that needs OpenGL

        return MujocoCamera(maze)
    raise ValueError(f"unknown view {view!r}; choose one of {', '.join(VIEWS)}")


class WholeMaze:
    """Where a camera that shows all of a maze from above, centred, has its places.

    Attributes:
        pixels_per_unit: 64 / the longer side of the maze: 5.33 for ``large``, 8 for ``medium``, 12.8 for ``umaze``.
    """

    def __init__(self, maze: Maze) -> None:
        self.pixels_per_unit = IMAGE_SIZE / max(maze.walls.shape)
        # Pixel coordinates are continuous: pixel (i, j) is the square [i, i + 1] x [j, j + 1].
        centre = CELL_CENTRE_OFFSET + (np.array(maze.walls.shape) - 1) / 2
        self._origin = centre - IMAGE_SIZE / 2 / self.pixels_per_unit

    def to_pixels(self, positions: np.ndarray) -> np.ndarray:
        """Turn positions ``(..., 2)`` into pixels ``(row, column)``; pixel ``(i, j)`` has its centre at + 0.5."""
        return (positions - self._origin) * self.pixels_per_unit

    def to_positions(self, pixels: np.ndarray) -> np.ndarray:
        """Turn pixels ``(..., 2)`` back into positions; see :meth:`to_pixels`."""
        return pixels / self.pixels_per_unit + self._origin


class TopCamera(WholeMaze):
    """All of the maze from above, centred, its surroundings filled with the colour of the walls.

    Walls have their true size and place, with anti-aliased edges; the ball is a disc of at least 2 pixels' radius,
    anti-aliased as well, so that a shift by a hundredth of a pixel changes bytes. It is drawn over the walls.

    Attributes:
        ball_radius: pixels.
        background: ``(64, 64, 3)`` uint8, the maze without the ball.
    """

    def __init__(self, maze: Maze) -> None:
        super().__init__(maze)
        self.ball_radius = ball_radius_in_pixels(self.pixels_per_unit)
        self.background = _draw_walls(maze, origins=self._origin, pixels_per_unit=self.pixels_per_unit)

    def render(self, positions: np.ndarray) -> np.ndarray:
        """See :class:`Camera`; a ball outside the frame is not seen. ValueError if a position is not finite."""
        positions = check_positions(positions)
        frames = np.empty((*positions.shape[:-1], *self.background.shape), dtype=np.uint8)
        frames[...] = self.background
        _draw_ball(frames, centres=self.to_pixels(positions), radius=self.ball_radius)
        return frames


class EgocentricCamera:
    """1.5 cells around the ball, which is always in the middle; what is outside the maze looks like wall.

    Attributes:
        pixels_per_unit: 21.33 in every maze.
        ball_radius: pixels.
    """

    def __init__(self, maze: Maze) -> None:
        self.pixels_per_unit = IMAGE_SIZE / (2 * EGOCENTRIC_REACH)
        self.ball_radius = ball_radius_in_pixels(self.pixels_per_unit)
        self._maze = maze

    def render(self, positions: np.ndarray) -> np.ndarray:
        """See :class:`Camera`. ValueError if a position is not finite."""
        positions = check_positions(positions)
        frames = _draw_walls(self._maze, origins=positions - EGOCENTRIC_REACH, pixels_per_unit=self.pixels_per_unit)
        _draw_ball(frames, centres=np.full(positions.shape, IMAGE_SIZE / 2), radius=self.ball_radius)
        return frames


def ball_radius_in_pixels(pixels_per_unit: float) -> float:
    """Radius of the ball in a frame: its own, or the smallest that can be seen well."""
    return max(SMALLEST_BALL_RADIUS, BALL_RADIUS * pixels_per_unit)


def check_positions(positions: np.ndarray) -> np.ndarray:
    """Return positions ``(..., 2)`` as float64, or raise a ValueError that says what is wrong with them."""
    positions = np.asarray(positions, dtype=np.float64)
    if positions.shape[-1:] != (2,):
        raise ValueError(f"positions must have shape (..., 2); got {positions.shape}")
    if not np.isfinite(positions).all():
        raise ValueError("positions must be finite; found NaN or infinity: check what produced them")
    return positions


def _draw_walls(maze: Maze, *, origins: np.ndarray, pixels_per_unit: float) -> np.ndarray:
    """Draw frames ``(..., 64, 64, 3)`` with upper left corners at ``(..., 2)``; each pixel by its share of wall."""
    rows, columns = maze.walls.shape
    x = _overlaps(origins[..., 0], num_cells=rows, pixels_per_unit=pixels_per_unit)
    y = _overlaps(origins[..., 1], num_cells=columns, pixels_per_unit=pixels_per_unit)
    floor_share = x @ (~maze.walls).astype(np.float32) @ y.swapaxes(-1, -2)
    return _SHADES[np.rint(255 * floor_share).astype(np.uint8)]


def _overlaps(origins: np.ndarray, *, num_cells: int, pixels_per_unit: float) -> np.ndarray:
    """Share ``(..., 64, num_cells)`` of each pixel that lies in each cell, along one axis."""
    starts = (origins[..., None] + np.arange(IMAGE_SIZE) / pixels_per_unit)[..., None]
    cell_starts = np.arange(num_cells) + CELL_CENTRE_OFFSET - 0.5
    ends = np.minimum(starts + 1 / pixels_per_unit, cell_starts + 1)
    return (pixels_per_unit * np.maximum(ends - np.maximum(starts, cell_starts), 0)).astype(np.float32)


def _draw_ball(frames: np.ndarray, *, centres: np.ndarray, radius: float) -> None:
    """Blend a disc into each of the frames ``(..., 64, 64, 3)`` around the pixel coordinates ``(..., 2)``.

    Only the few pixels that the disc can touch are computed: that is what makes it fast.
    """
    frames, centres = frames.reshape(-1, IMAGE_SIZE, IMAGE_SIZE, 3), centres.reshape(-1, 2)
    centres = np.clip(centres, -IMAGE_SIZE, 2 * IMAGE_SIZE)  # far outside is outside, and fits an integer
    reach = radius + 0.5
    first = np.floor(centres - reach + 0.5).astype(np.int64)
    pixels = first[..., None] + np.arange(math.ceil(2 * reach))  # [frame, axis, pixel]
    offsets = pixels + 0.5 - centres[..., None]
    squares = offsets * offsets
    distance = np.sqrt(squares[:, 0, :, None] + squares[:, 1, None, :])
    coverage = np.clip(reach - distance, 0.0, 1.0)
    rows, columns = pixels[:, 0, :, None], pixels[:, 1, None, :]
    seen = (coverage > 0) & (rows >= 0) & (rows < IMAGE_SIZE) & (columns >= 0) & (columns < IMAGE_SIZE)
    frame, row, column = np.nonzero(seen)
    where = frame, pixels[frame, 0, row], pixels[frame, 1, column]
    behind = frames[where].astype(np.float64)
    frames[where] = np.rint(behind + coverage[seen][:, None] * (np.array(BALL_COLOR) - behind)).astype(np.uint8)


def _shades() -> np.ndarray:
    """Colours ``(256, 3)`` uint8 from wall to floor."""
    share = np.arange(256)[:, None] / 255
    return np.rint(np.array(WALL_COLOR) + share * (np.array(FLOOR_COLOR) - np.array(WALL_COLOR))).astype(np.uint8)


_SHADES = _shades()
