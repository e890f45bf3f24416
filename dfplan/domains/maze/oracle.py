"""A strong heuristic: a driver with privileged information, maze and physics, that takes the fastest way it finds.

It looks ahead by simulating manoeuvres among the walls and prices where they end by the way that is left. Others are
quicker in some episodes; what nobody can beat is said by ``benchmarks/bound.py``.
"""

from collections.abc import Callable, Sequence

import numpy as np

from dfplan.errors import UserError
from dfplan.types import PlanEvent

# The ball of maze2d: a sphere of radius 0.1 and density 1000, force 100 per unit of action, joint damping 1, steps of
# 0.01 s (d4rl/pointmaze/maze_model.py); MuJoCo's Euler integrator treats damping implicitly.
SECONDS = 0.01
MASS = 1000 * 4 / 3 * np.pi * 0.1**3
DECAY = MASS / (MASS + SECONDS)
GAIN = 100 * SECONDS / (MASS + SECONDS)
SPEED_LIMIT = 5.0  # of each axis, before a step

CELL = 0.05  # of the grid; walls of the ball's centre lie at whole multiples of it
WALL_LOW, WALL_HIGH = -0.8, 0.4  # where the ball's centre cannot be, from a wall cell's integer coordinates


class DistanceMap:
    """Where the ball's centre can be in a maze, and how far it is from there to a goal.

    Distance is the larger of the two axes' distances, since each axis has a speed limit of its own, along the shortest
    way around the walls.

    Args:
        walls: ``(rows, columns)`` bool.
    """

    def __init__(self, walls: np.ndarray) -> None:
        per_unit = round(1 / CELL)
        # Cell (0, 0) of the grid has its low corner at (-1, -1).
        self.free = np.ones([(size + 1) * per_unit for size in walls.shape], dtype=bool)
        low, high = (round((each + 1) * per_unit) for each in (WALL_LOW, WALL_HIGH))
        for i, j in np.argwhere(walls) * per_unit:
            self.free[i + low : i + high, j + low : j + high] = False
        # Contacts are soft, and corners of the ball's way are round: it can be found a little inside.
        self.rim = _grown(self.free) & ~self.free

    def index(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Grid indices of positions ``(..., 2)``; outside the grid, of its edge."""
        found = np.floor((positions + 1) / CELL).astype(np.int64)
        return (
            found[..., 0].clip(0, self.free.shape[0] - 1),
            found[..., 1].clip(0, self.free.shape[1] - 1),
        )

    def distances(self, goal: np.ndarray, *, radius: float) -> np.ndarray:
        """Distance to the disc around ``goal`` from every cell of the grid, float32; infinite where there is no way."""
        x, y = (CELL * (np.arange(size) + 0.5) - 1 for size in self.free.shape)
        reached = ((x[:, None] - goal[0]) ** 2 + (y - goal[1]) ** 2 <= radius**2) & self.free
        found = np.where(reached, 0, np.inf).astype(np.float32)
        frontier, steps = reached, 0
        while frontier.any():
            steps += 1
            frontier = _grown(frontier) & self.free & ~reached
            reached = reached | frontier
            found[frontier] = steps * CELL
        return np.where(self.rim, _least_around(found), found)


def _least_around(values: np.ndarray) -> np.ndarray:
    """The least of each cell and its eight neighbours."""
    for axis in (0, 1):
        before, after = np.roll(values, 1, axis=axis), np.roll(values, -1, axis=axis)
        values = np.minimum(values, np.minimum(before, after))
    return values


def _grown(cells: np.ndarray) -> np.ndarray:
    """The cells and their eight neighbours."""
    grown = cells.copy()
    for axis in (0, 1):
        before, after = np.roll(grown, 1, axis=axis), np.roll(grown, -1, axis=axis)  # the rim is wall: nothing wraps
        grown = grown | before | after
    return grown


class OracleAgent:
    """Tries manoeuvres of two constant full actions in a simulation of ball and walls; holds the goal once inside.

    Args:
        walls: ``(rows, columns)`` bool, the maze.
        goal_radius: of the goal's disc.
        lookahead: steps that are simulated.
        switches: steps after which the second action of a manoeuvre begins.
        stride: simulated steps between two looks at the distance that is left.
    """

    on_plan: Callable[[PlanEvent], None] | None = None  # it plans no further than it looks

    def __init__(
        self,
        walls: np.ndarray,
        *,
        goal_radius: float,
        lookahead: int = 32,
        switches: Sequence[int] = (4, 12),
        stride: int = 4,
    ) -> None:
        self.map = DistanceMap(walls)
        self.goal_radius = goal_radius
        self.lookahead = lookahead
        self.stride = stride
        pushes = np.array([(x, y) for x in (-1.0, 0.0, 1.0) for y in (-1.0, 0.0, 1.0)])
        pairs = [(first, second, switch) for switch in switches for first in pushes for second in pushes]
        self._first, self._second = (np.array([pair[part] for pair in pairs]) for part in (0, 1))
        self._switch = np.array([pair[2] for pair in pairs])[:, None]
        # A critically damped spring that the full action can hold over the goal disc.
        self._spring = 2 / goal_radius
        self._damper = 2 * np.sqrt(self._spring * SECONDS / GAIN)
        self._goals = np.zeros((0, 2))

    def reset(self, *, seeds: Sequence[int], goals: np.ndarray) -> None:
        """Begin new episodes; nothing is random, so that the seeds change nothing."""
        self._goals = np.array(goals, dtype=np.float64)
        kinds, self._kind = np.unique(self._goals, axis=0, return_inverse=True)
        # Half a cell inside the disc, so that the last cell counts only where its every point is inside.
        self._left = np.stack([self.map.distances(goal, radius=self.goal_radius - CELL / 2) for goal in kinds])

    def act(self, observations: np.ndarray) -> np.ndarray:
        """Actions ``(batch, 2)`` float32 for observations ``(batch, 4)``."""
        if len(observations) != len(self._goals):
            raise UserError(f"reset() began {len(self._goals)} episodes, act() got {len(observations)} observations")
        position, velocity = observations[:, :2].astype(np.float64), observations[:, 2:].astype(np.float64)
        actions = self._spring * (self._goals - position) - self._damper * velocity
        driving = np.flatnonzero(np.linalg.norm(position - self._goals, axis=1) > self.goal_radius)
        if len(driving):
            actions[driving] = self._drive(position[driving], velocity[driving], self._kind[driving])
        return actions.clip(-1, 1).astype(np.float32)

    def _drive(self, position: np.ndarray, velocity: np.ndarray, kind: np.ndarray) -> np.ndarray:
        """First action of the manoeuvre with the least distance left, summed over its looks."""
        shape = (len(position), len(self._first), 2)
        position, velocity = (np.broadcast_to(each[:, None], shape).copy() for each in (position, velocity))
        cost = np.zeros(shape[:2])
        for step in range(self.lookahead):
            push = np.where(step < self._switch, self._first, self._second)
            velocity = DECAY * velocity.clip(-SPEED_LIMIT, SPEED_LIMIT) + GAIN * push
            position, velocity = self._moved(position, velocity)
            if (step + 1) % self.stride == 0:
                cost += self._distance_left(position, kind)
        return self._first[cost.argmin(axis=1)]

    def _moved(self, position: np.ndarray, velocity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """One step, axis by axis: into a wall the ball does not go, and loses the speed of that axis."""
        for axis in (0, 1):
            ahead = position.copy()
            ahead[..., axis] += SECONDS * velocity[..., axis]
            now, then = self.map.index(position), self.map.index(ahead)
            stopped = ~self.map.free[then] & ~(self.map.rim[now] & self.map.rim[then])
            velocity[..., axis] = np.where(stopped, 0, velocity[..., axis])
            position = np.where(stopped[..., None], position, ahead)
        return position, velocity

    def _distance_left(self, position: np.ndarray, kind: np.ndarray) -> np.ndarray:
        """Distance to the goal's disc, ``(batch, manoeuvres)``; in a wall, where contact may press the ball, much."""
        left = self._left[kind[:, None], *self.map.index(position)]
        return np.where(np.isfinite(left), left, 1e3)
