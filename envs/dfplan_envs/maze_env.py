"""D4RL's maze2d as a Gymnasium environment: drive a ball to a goal and stay there."""

import math
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from dfplan_envs.mazes import build_maze
from dfplan_envs.physics import Ball, build_model


class MazeEnv(gymnasium.Env):
    """A ball in a maze, bit for bit the ``MazeEnv`` of D4RL on the same MuJoCo.

    Observation: ``(x, y, vx, vy)`` float64. Action: force per axis in [-1, 1], float32. The reward is paid for the state
    after the step: 1 inside the goal disc, else 0; or ``exp(-distance)`` if dense. It never terminates.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 100}  # noqa: RUF012 (Gymnasium's own convention)

    def __init__(
        self, maze_name: str, *, goal: str = "fixed", dense: bool = False, render_mode: str | None = None
    ) -> None:
        if goal not in ("fixed", "random"):
            raise ValueError(f"goal must be 'fixed' (D4RL) or 'random' (Multi2D); got {goal!r}")
        self.maze = build_maze(maze_name, dense=dense)
        self.render_mode = render_mode
        self.ball = Ball(build_model(self.maze))
        self.target = (float(self.maze.goal_cell[0]), float(self.maze.goal_cell[1]))
        self._goal = goal
        self._dense = dense
        self.observation_space = spaces.Box(-np.inf, np.inf, (4,), np.float64)
        self.action_space = spaces.Box(-1.0, 1.0, (2,), np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start an episode at a random free cell."""
        super().reset(seed=seed)
        x, y = self.maze.free_cells[self.np_random.integers(len(self.maze.free_cells))] + self.np_random.uniform(
            -0.1, 0.1, size=2
        )
        vx, vy = 0.1 * self.np_random.standard_normal(2)
        self.ball.set_state(x, y, vx, vy)
        return np.array((x, y, vx, vy)), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Advance 0.01 s."""
        state = self.ball.step(float(action[0]), float(action[1]))
        distance = math.hypot(state[0] - self.target[0], state[1] - self.target[1])
        success = distance <= self.maze.goal_radius
        reward = math.exp(-distance) if self._dense else float(success)
        return np.array(state), reward, False, False, {"goal": np.array(self.target), "success": success}

    def reward(self, xy: np.ndarray, goal: np.ndarray) -> np.ndarray:
        """Return the ``(...)`` rewards of positions ``(..., 2)`` for goals that broadcast against them."""
        distance = np.linalg.norm(xy - goal, axis=-1)
        return np.exp(-distance) if self._dense else (distance <= self.maze.goal_radius).astype(np.float64)
