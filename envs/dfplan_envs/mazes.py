"""The maze2d layouts of D4RL and one changed one, their time limits and reference scores, and where walls stand."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

GOAL_RADIUS = 0.5
BALL_RADIUS = 0.1
# The ball's origin is (1.2, 1.2) but wall box (i, j) is centred on (i + 1, j + 1): in the coordinates of the
# observation cell (i, j) is the square [i - 0.7, i + 0.3] x [j - 0.7, j + 0.3], centred on (i - 0.2, j - 0.2).
CELL_CENTRE_OFFSET = -0.2


@dataclass(frozen=True)
class Maze:
    """A grid of walls with a goal; x is the row and y the column, in the coordinates of the observation.

    Attributes:
        name: D4RL's name, such as ``large`` or ``eval-umaze``; ``large-changed`` is not D4RL's.
        layout: one string a row; ``#`` wall, ``O`` free, ``G`` the fixed goal.
        max_episode_steps: length of every episode.
        reference_min: return that scores 0 (D4RL ``infos.py``).
        reference_max: return that scores 100.
        goal_radius: the goal is a disc of this radius around a point.
    """

    name: str
    layout: tuple[str, ...]
    max_episode_steps: int
    reference_min: float
    reference_max: float
    goal_radius: float = GOAL_RADIUS

    @cached_property
    def walls(self) -> np.ndarray:
        """``(rows, columns)`` bool, True where the cell is a wall."""
        return np.array([[character == "#" for character in row] for row in self.layout])

    @cached_property
    def goal_cell(self) -> tuple[int, int]:
        """The cell marked ``G``; its integer coordinates are the fixed goal."""
        return next((i, row.index("G")) for i, row in enumerate(self.layout) if "G" in row)

    @cached_property
    def free_cells(self) -> np.ndarray:
        """``(cells, 2)`` int: where D4RL starts episodes, empty cells row by row and then the goal cell."""
        empty = [tuple(cell) for cell in np.argwhere(~self.walls).tolist() if tuple(cell) != self.goal_cell]
        return np.array([*empty, self.goal_cell])

    def contains_wall(self, xy: np.ndarray) -> np.ndarray:
        """Tell which points lie inside a wall box; outside the grid counts as wall.

        Args:
            xy: ``(..., 2)`` positions in the coordinates of the observation, all finite.

        Returns:
            ``(...)`` bool.
        """
        xy = np.asarray(xy, dtype=np.float64)
        if xy.shape[-1:] != (2,):
            raise ValueError(f"positions must have shape (..., 2); got {xy.shape}")
        if not np.isfinite(xy).all():
            raise ValueError("positions must be finite; found NaN or infinity: check what produced them")
        cells = np.floor(xy - CELL_CENTRE_OFFSET + 0.5)
        limits = np.array(self.walls.shape) - 1
        inside = ((cells >= 0) & (cells <= limits)).all(axis=-1)
        cells = np.clip(cells, 0, limits).astype(np.int64)  # clip first: a far point must not overflow the integer
        return ~inside | self.walls[cells[..., 0], cells[..., 1]]

    def nearest_free_point(self, xy: np.ndarray) -> np.ndarray:
        """Return the point ``(2,)`` nearest to ``xy`` at which the ball stands inside one free cell, off its walls."""
        reach = 0.5 - BALL_RADIUS
        centres = self.free_cells + CELL_CENTRE_OFFSET
        candidates = np.clip(xy, centres - reach, centres + reach)
        return candidates[np.linalg.norm(candidates - xy, axis=1).argmin()]

    def normalize(self, returns: np.ndarray | float) -> np.ndarray | float:
        """Turn undiscounted returns into D4RL scores: 0 at ``reference_min``, 100 at ``reference_max``."""
        return 100.0 * (returns - self.reference_min) / (self.reference_max - self.reference_min)


_LAYOUTS = {
    "umaze": ("#####", "#GOO#", "###O#", "#OOO#", "#####"),
    "medium": ("########", "#OO##OO#", "#OO#OOO#", "##OOO###", "#OO#OOO#", "#O#OO#O#", "#OOO#OG#", "########"),
    "large": (
        "############",
        "#OOOO#OOOOO#",
        "#O##O#O#O#O#",
        "#OOOOOO#OOO#",
        "#O####O###O#",
        "#OO#O#OOOOO#",
        "##O#O#O#O###",
        "#OO#OOO#OGO#",
        "############",
    ),
    "eval-umaze": ("#####", "#OOG#", "#O###", "#OOO#", "#####"),
    "eval-medium": ("########", "#OOOOOG#", "#O#O##O#", "#OOOO#O#", "###OO###", "#OOOOOO#", "#OO##OO#", "########"),
    "eval-large": (
        "############",
        "#OO#OOO#OGO#",
        "##O###O#O#O#",
        "#OO#O#OOOOO#",
        "#O##O#OO##O#",
        "#OOOOOO#OOO#",
        "#O##O#O#O###",
        "#OOOO#OOOOO#",
        "############",
    ),
    # Not D4RL's: ``large`` with passage (4, 6) closed and (7, 3) opened: every way from the left half to the goal is
    # another one. For planners that must adapt.
    "large-changed": (
        "############",
        "#OOOO#OOOOO#",
        "#O##O#O#O#O#",
        "#OOOOOO#OOO#",
        "#O########O#",
        "#OO#O#OOOOO#",
        "##O#O#O#O###",
        "#OOOOOO#OGO#",
        "############",
    ),
    "open": ("#######", "#OOOOO#", "#OOGOO#", "#OOOOO#", "#######"),
}

# name: steps, (sparse min, sparse max), (dense min, dense max), all as printed in d4rl/pointmaze/__init__.py
_SPECIFICATIONS = {
    "umaze": (300, (23.85, 161.86), (68.537689, 193.66285642381482)),
    "medium": (600, (13.13, 277.39), (44.264742, 297.4552547777125)),
    "large": (800, (6.7, 273.99), (30.569041, 303.4857382709002)),
    "eval-umaze": (300, (36.63, 141.4), (56.95455, 178.21373133248397)),
    "eval-medium": (600, (13.07, 204.93), (42.28578, 235.5658957482388)),
    "eval-large": (800, (16.4, 302.22), (56.95455, 326.09647655082637)),
    "large-changed": (800, (6.7, 273.99), (30.569041, 303.4857382709002)),  # those of large: nobody measured its own
    "open": (150, (0.01, 20.66), (11.17817, 27.166538620695782)),
}

MAZE_NAMES = tuple(_LAYOUTS)


def build_maze(name: str, *, dense: bool = False) -> Maze:
    """Look up one of the mazes.

    Args:
        name: one of ``MAZE_NAMES``, or a maze of one's own: the steps of an episode and the rows of the layout, with
            ``/`` between. Nobody measured reference scores of such a one: its score is the share of steps at the goal.
        dense: take the reference scores of the dense reward.

    Raises:
        ValueError: there is no such maze.
    """
    if "/" in name:
        number, *rows = name.split("/")
        return Maze("own", tuple(rows), int(number), reference_min=0.0, reference_max=float(number))
    if name not in _LAYOUTS:
        raise ValueError(f"unknown maze {name!r}; choose one of {', '.join(MAZE_NAMES)}")
    steps, sparse_scores, dense_scores = _SPECIFICATIONS[name]
    reference_min, reference_max = dense_scores if dense else sparse_scores
    return Maze(name, _LAYOUTS[name], steps, reference_min, reference_max)
