"""D4RL's maze2d as a Gymnasium environment: drive a ball to a goal and stay there."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from dfplan_envs.episodes import check_goal_mode, check_options, draw_beginning
from dfplan_envs.mazes import Maze, build_maze
from dfplan_envs.physics import Ball, build_model
from dfplan_envs.render import draw_frame


class MazeEnv(gymnasium.Env):
    """A ball in a maze, bit for bit the ``MazeEnv`` of D4RL on the same MuJoCo.

    Observation: ``(x, y, vx, vy)`` float64, in metres and metres a second; x is the row of the layout and y the column.
    Action: force per axis, float32, clipped to [-1, 1]. Reward, for the state after the step: 1 inside the goal disc,
    else 0; if dense, ``exp(-distance to the goal)``. It never terminates; the registered time limit truncates.

    ``info`` of reset and step: ``goal`` and ``position`` of the ball, ``(2,)`` float64, and ``success``, whether the
    ball is in the goal disc now.

    Attributes:
        maze: layout, time limit and reference scores.
        ball: the physics, for loops that cannot afford arrays.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 100}  # noqa: RUF012 (Gymnasium declares it so)

    def __init__(
        self, maze_name: str, *, goal: str = "fixed", dense: bool = False, render_mode: str | None = None
    ) -> None:
        """Build one of the mazes.

        Args:
            maze_name: one of ``dfplan_envs.MAZE_NAMES``.
            goal: "fixed" (D4RL) or "random" (anew at each reset, known as Multi2D).
            dense: pay the dense reward.
            render_mode: None or "rgb_array".
        """
        self.maze = build_maze(maze_name, dense=dense)
        self.ball = Ball(build_model(self.maze))
        self.render_mode = check_render_mode(render_mode)
        self.observation_space = spaces.Box(-np.inf, np.inf, (4,), np.float64)
        self.action_space = spaces.Box(-1.0, 1.0, (2,), np.float32)
        self._goal_mode = check_goal_mode(goal)
        self._goal = np.array(self.maze.goal_cell, dtype=np.float64)
        self._dense = dense

    @property
    def goal(self) -> np.ndarray:
        """Where to, ``(2,)`` float64: what ``info`` says."""
        return self._goal.copy()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start an episode at a random free cell ± 0.1, with a velocity of 0.1 * normal.

        Args:
            seed: restarts the random numbers; None goes on with them.
            options: ``start``: ``(x, y)`` for exactly there or ``{"cell": (row, column)}`` for that cell ± 0.1;
                ``goal``: ``(x, y)``, for this episode.

        Raises:
            ValueError: unknown option, or a start or goal that is malformed or inside a wall.
        """
        super().reset(seed=seed)
        options = check_options(options, allowed=("start", "goal"))
        beginning = draw_beginning(self.maze, goal_mode=self._goal_mode, generator=self.np_random, **options)
        self.ball.set_state(*beginning.state)
        self._goal = np.array(beginning.goal)
        observation = np.array(beginning.state)
        return observation, self._info(observation[:2])

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Advance 0.01 s under ``action``.

        Raises:
            ValueError: the action is not two finite numbers.
        """
        action_x, action_y = check_actions(action, shape=(2,)).tolist()
        observation = np.array(self.ball.step(action_x, action_y))
        reward = float(compute_reward(self.maze, observation[:2], goals=self._goal, dense=self._dense))
        return observation, reward, False, False, self._info(observation[:2])

    def render(self) -> np.ndarray | None:  # type: ignore[override]
        """Return a picture ``(height, width, 3)`` uint8 where ``render_mode`` is "rgb_array", else None."""
        if self.render_mode is None:
            return None
        return draw_frame(self.maze, ball=np.array(self.ball.state()[:2]), goal=self._goal)

    def reward(self, xy: np.ndarray, *, goal: np.ndarray) -> np.ndarray:
        """Return what this environment would pay at positions ``(..., 2)`` for goals that broadcast against them."""
        return compute_reward(self.maze, xy, goals=goal, dense=self._dense)

    def _info(self, xy: np.ndarray) -> dict[str, Any]:
        success = bool(distances(xy, self._goal) <= self.maze.goal_radius)
        return {"goal": self._goal.copy(), "position": xy.copy(), "success": success}


def compute_reward(maze: Maze, xy: np.ndarray, *, goals: np.ndarray, dense: bool) -> np.ndarray:
    """Return the rewards ``(...)`` of positions ``(..., 2)`` for goals that broadcast against them."""
    distance = distances(xy, goals)
    return np.exp(-distance) if dense else (distance <= maze.goal_radius).astype(np.float64)


def distances(xy: np.ndarray, goals: np.ndarray) -> np.ndarray:
    """Euclidean distances ``(...)``; written out because ``norm`` of one point and of many may round differently."""
    difference = np.asarray(xy, dtype=np.float64) - goals
    return np.sqrt(difference[..., 0] * difference[..., 0] + difference[..., 1] * difference[..., 1])


def check_actions(actions: Any, *, shape: tuple[int, ...]) -> np.ndarray:
    """Return actions as float64; MuJoCo would reset the simulation on a NaN, which nobody would notice."""
    array = np.asarray(actions, dtype=np.float64)
    if array.shape != shape:
        raise ValueError(f"actions must have shape {shape}; got {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"actions must be finite; got {actions!r}")
    return array


def check_render_mode(render_mode: str | None) -> str | None:
    """Return the mode, or raise a ValueError that names the modes there are."""
    if render_mode not in (None, "rgb_array"):
        raise ValueError(f"render_mode must be None or 'rgb_array'; got {render_mode!r}")
    return render_mode
