"""OGBench's point mazes as Gymnasium has environments with goals: the package's own, drawn by the seed of a reset.

The package draws tasks, places and teleporters from NumPy's global generator, and tells the goal in ``info`` alone.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from dfplan.errors import UserError

MAZES = ("medium", "large", "giant", "teleport")
KINDS = ("navigate", "stitch")  # of data
TASKS = tuple(f"task{number}" for number in range(1, 6))  # as the package names them
EPISODE_STEPS = 1000
PREFIX = "ogbench/pointmaze-"
PIXELS = 24  # of a cell
WALL, FLOOR, GOAL, BALL, GATE = (75, 85, 99), (248, 250, 252), (213, 94, 0), (0, 114, 178), (240, 228, 66)
TELEPORTERS = ("teleport_in_xys", "teleport_out_xys")
INSTALL = "pip install 'dfplan[ogbench]'"


class PointMaze(gymnasium.Env):
    """One maze; an episode is one of its five tasks, which ends where the goal is reached.

    Actions, steps, walls, teleporters, places, radius and success are the package's.

    Args:
        maze: of :data:`MAZES`.
        render_mode: "rgb_array" or None.

    Raises:
        UserError: OGBench is not installed.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012

    def __init__(self, maze: str, render_mode: str | None = None) -> None:
        self.maze, self.render_mode = make_published(maze), render_mode
        self.dt = self.maze.dt
        self.action_space = self.maze.action_space
        place = spaces.Box(-np.inf, np.inf, (2,), np.float64)
        self.observation_space = spaces.Dict(dict.fromkeys(("observation", "achieved_goal", "desired_goal"), place))
        self._goal = np.zeros(2)
        self._drawn = np.random.RandomState(0).get_state()

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[dict, dict]:
        """Begin; ``options`` may name the ``task``, of :data:`TASKS`."""
        super().reset(seed=seed)
        task = (options or {}).get("task") or TASKS[self.np_random.integers(len(TASKS))]
        if task not in TASKS:
            raise UserError(f"task must be one of {', '.join(TASKS)}; got {task}")
        if seed is not None:
            self._drawn = np.random.RandomState(self.np_random.integers(2**31)).get_state()
        with self._drawing():
            place, info = self.maze.reset(options={"task_id": 1 + TASKS.index(task)})
        self._goal = np.array(info["goal"], np.float64)
        return self._shown(place), {"task": task}

    def step(self, action: np.ndarray) -> tuple[dict, float, bool, bool, dict]:
        """A step of the package, which shows where a teleporter leads to with the step after it."""
        with self._drawing():
            place, reward, terminated, truncated, info = self.maze.step(action)
        return self._shown(place), float(reward), terminated, truncated, {"is_success": bool(info["success"])}

    def compute_reward(self, achieved: np.ndarray, desired: np.ndarray, info: Any) -> np.ndarray | float:
        """1 where what was achieved ``(..., 2)`` is within the published radius of what was desired, else 0."""
        return (np.linalg.norm(achieved - desired, axis=-1) <= self.maze._goal_tol) * 1.0

    def render(self) -> np.ndarray | None:
        """The maze from above, ``(height, width, 3)`` uint8; the package's own picture takes OpenGL."""
        if self.render_mode is None:
            return None
        walls, unit = np.kron(self.maze.maze_map, np.ones((PIXELS, PIXELS))) == 1, self.maze._maze_unit
        picture = np.where(walls[..., None], *np.array([WALL, FLOOR], np.uint8))
        y, x = (np.indices(walls.shape) + 0.5) * unit / PIXELS - unit / 2
        (left, top), teleporters = self.maze.ij_to_xy((0, 0)), self.maze._teleport_info or {}
        discs = [(place, 1.0, GATE) for name in TELEPORTERS for place in teleporters.get(name, ())]
        for place, radius, color in (*discs, (self._goal, 1.0, GOAL), (self.maze.get_xy(), 0.7, BALL)):
            picture[np.hypot(x + left - place[0], y + top - place[1]) <= radius] = color
        return picture

    def close(self) -> None:
        """Close the package's environment."""
        self.maze.close()

    def _shown(self, place: np.ndarray) -> dict[str, np.ndarray]:
        return {"observation": place, "achieved_goal": place.copy(), "desired_goal": self._goal.copy()}

    @contextmanager
    def _drawing(self) -> Iterator[None]:
        """Have the package draw from this environment's own numbers, and nobody else's be changed."""
        others = np.random.get_state()  # noqa: NPY002
        np.random.set_state(self._drawn)  # noqa: NPY002
        try:
            yield
        finally:
            self._drawn = np.random.get_state()  # noqa: NPY002
            np.random.set_state(others)  # noqa: NPY002


def make_published(maze: str, **options: Any) -> Any:
    """The package's own environment of a maze.

    Raises:
        UserError: OGBench is not installed.
    """
    try:
        from ogbench.locomaze.maze import make_maze_env  # pyright: ignore[reportMissingImports] - an extra
    except ImportError as error:
        raise UserError(f"OGBench lacks a package ({error}): {INSTALL}") from error
    env = make_maze_env("point", "maze", maze_type=maze, **options)
    Path(env.fullpath).unlink(missing_ok=True)  # the description of its walls, which it leaves behind
    return env


def register() -> None:
    """Have Gymnasium know ``ogbench/pointmaze-medium-navigate-v0`` and the others, installed or not."""
    for maze in MAZES:
        for kind in KINDS:
            if (env_id := f"{PREFIX}{maze}-{kind}-v0") not in gymnasium.registry:
                gymnasium.register(
                    env_id, lambda **given: PointMaze(**given), max_episode_steps=EPISODE_STEPS, kwargs={"maze": maze}
                )


def maze_and_kind(env_id: str) -> tuple[str, str]:
    """Of which maze an id is, and with which kind of data."""
    maze, kind = env_id.removeprefix(PREFIX).removesuffix("-v0").split("-")
    return maze, kind
