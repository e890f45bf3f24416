"""What no driver can beat: the return of one that has the ball's top speed along the shortest path, and never turns.

Speed and acceleration are limited by axis, so the length of a path is that of its longer axis, piece by piece, and the
shortest path is the shortest in that sense. That corners slow the ball down is left out: the bound is above what is
possible, by more the more corners there are.
"""

import numpy as np

from dfplan.domains.maze.oracle import DECAY, GAIN, SECONDS, SPEED_LIMIT

CELL = 0.02  # of the grid, in units of the maze
RADIUS = 0.1  # of the ball
BOX_LOW, BOX_HIGH = -0.7, 0.3  # a wall, from its cell's integer coordinates
PRESSED = 0.05  # how far into a wall the ball can be pressed: contacts are soft


def bound_returns(
    observations: np.ndarray, goals: np.ndarray, *, walls: np.ndarray, goal_radius: float, num_steps: int
) -> np.ndarray:
    """Most steps of an episode that can end at the goal, from each start.

    Args:
        observations: ``(batch, 4)`` positions and velocities that episodes start with.
        goals: ``(batch, 2)``.
        walls: ``(rows, columns)`` bool, the maze.
        goal_radius: of the goal's disc.
        num_steps: of an episode.

    Returns:
        ``(batch,)`` float, in units of D4RL's sparse return.
    """
    room = Room(walls)
    kinds, kind = np.unique(goals, axis=0, return_inverse=True)
    distances = np.empty(len(goals))
    for number, goal in enumerate(kinds):
        rows = np.flatnonzero(kind == number)
        distances[rows] = room.least_distances(observations[rows, :2], goal, radius=goal_radius)
    return num_steps + 1 - least_steps(distances, np.abs(observations[:, 2:]).max(axis=1), num_steps=num_steps)


def least_steps(distances: np.ndarray, speeds: np.ndarray, *, num_steps: int) -> np.ndarray:
    """Steps until ``distances`` ``(batch,)`` can be behind an axis that begins with ``speeds`` ``(batch,)``.

    At least 1, as the environment pays for the state after a step; ``num_steps + 1`` where there is no time for it.
    """
    speed, travelled = speeds.astype(np.float64), np.zeros(len(speeds))
    steps = np.ones(len(speeds))
    for _ in range(num_steps):
        speed = DECAY * np.minimum(speed, SPEED_LIMIT) + GAIN
        travelled += SECONDS * speed
        steps += travelled < distances
    return steps


class Room:
    """Where the ball's centre can be in a maze: a grid whose cells are closed if their every point is in a wall.

    Args:
        walls: ``(rows, columns)`` bool.
    """

    def __init__(self, walls: np.ndarray) -> None:
        low = [CELL * np.arange(round((size + 1) / CELL)) - 1 for size in walls.shape]  # cell (0, 0) begins at (-1, -1)
        self.open = np.ones([len(each) for each in low], dtype=bool)
        for place in np.argwhere(walls):
            beyond = [
                np.maximum(np.maximum(at + BOX_LOW - edge, edge + CELL - (at + BOX_HIGH)), 0)
                for at, edge in zip(place, low, strict=True)
            ]
            self.open &= np.hypot(beyond[0][:, None], beyond[1]) >= RADIUS - PRESSED
        self.open[[0, -1]] = self.open[:, [0, -1]] = False  # outside of the maze; nothing wraps around
        self._low = low

    def least_distances(self, positions: np.ndarray, goal: np.ndarray, *, radius: float) -> np.ndarray:
        """A lower bound on the way from ``positions`` ``(batch, 2)`` to the disc around ``goal``, ``(batch,)``.

        A path of length ``d`` comes through no more than ``ceil(d / CELL)`` neighbours after the cell it begins in, so
        that ``moves`` mean a length above ``CELL * (moves - 1)``. Infinite where there is no way.
        """
        index = tuple(np.floor((positions + 1) / CELL).astype(np.int64).T)
        return CELL * np.maximum(self._moves(self._touched(goal, radius=radius))[index] - 1, 0)

    def _touched(self, goal: np.ndarray, *, radius: float) -> np.ndarray:
        """Open cells with a point in the disc."""
        apart = [np.abs(np.clip(at, edge, edge + CELL) - at) for at, edge in zip(goal, self._low, strict=True)]
        return (np.hypot(apart[0][:, None], apart[1]) <= radius) & self.open

    def _moves(self, reached: np.ndarray) -> np.ndarray:
        """Moves to one of eight neighbours from the ``reached`` cells to each; infinite where there is no way."""
        width = self.open.shape[1]
        moves = np.where(reached, 0.0, np.inf).ravel()
        around = np.array([x * width + y for x in (-1, 0, 1) for y in (-1, 0, 1)])
        frontier, waiting, count = np.flatnonzero(reached), (self.open & ~reached).ravel(), 0
        while len(frontier):
            count += 1
            near = (frontier[:, None] + around).ravel()
            frontier = np.unique(near[waiting[near]])
            moves[frontier], waiting[frontier] = count, False
        return moves.reshape(self.open.shape)
