"""Many mazes stepped as one environment in one process: each is identical to a single environment of its seed."""

from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from dfplan_envs.episodes import check_goal_mode, check_options, draw_beginning
from dfplan_envs.maze_env import check_actions, check_render_mode, compute_reward, distances
from dfplan_envs.mazes import build_maze
from dfplan_envs.physics import Ball, build_model
from dfplan_envs.render import draw_frame


class MazeVectorEnv(VectorEnv):
    """``num_envs`` balls, each in a maze of its own that shares one compiled model with the others.

    A plain loop: one step of this small model is a few microseconds, less than it costs to hand it to another thread.

    Observations ``(num_envs, 4)`` float64, actions ``(num_envs, 2)`` float32. ``info`` of reset and step: ``goal`` and
    ``position`` ``(num_envs, 2)`` float64 and ``success`` ``(num_envs,)`` bool. Episodes do not reset by
    themselves: call ``reset``, with ``options={"reset_mask": ...}`` to restart only some; a step beyond the time limit
    stays truncated.
    """

    metadata = {  # noqa: RUF012 (Gymnasium declares it so)
        "render_modes": ["rgb_array"],
        "render_fps": 100,
        "autoreset_mode": AutoresetMode.DISABLED,
    }

    def __init__(
        self,
        num_envs: int,
        maze_name: str,
        *,
        max_episode_steps: int,
        goal: str = "fixed",
        dense: bool = False,
        render_mode: str | None = None,
    ) -> None:
        """Build the environments; see ``MazeEnv`` for the arguments.

        Args:
            num_envs: at least 1.
            maze_name: one of ``dfplan_envs.MAZE_NAMES``.
            max_episode_steps: steps after which an episode is truncated.
            goal: "fixed" or "random".
            dense: pay the dense reward.
            render_mode: None or "rgb_array".
        """
        if num_envs < 1:
            raise ValueError(f"num_envs must be at least 1; got {num_envs}")
        self.num_envs = num_envs
        self.maze = build_maze(maze_name, dense=dense)
        self.render_mode = check_render_mode(render_mode)
        self.single_observation_space = spaces.Box(-np.inf, np.inf, (4,), np.float64)
        self.single_action_space = spaces.Box(-1.0, 1.0, (2,), np.float32)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        model = build_model(self.maze)
        self._balls = [Ball(model) for _ in range(num_envs)]
        self._generators: list[np.random.Generator | None] = [None] * num_envs
        self._observations = np.zeros((num_envs, 4))
        self._goals = np.tile(np.array(self.maze.goal_cell, dtype=np.float64), (num_envs, 1))
        self._elapsed = np.zeros(num_envs, dtype=np.int64)
        self._max_episode_steps = max_episode_steps
        self._goal_mode = check_goal_mode(goal)
        self._dense = dense

    def reset(  # type: ignore[override]
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start new episodes.

        Args:
            seed: one integer for seeds ``seed, seed + 1, …``; a list for one each, where None goes on with the random
                numbers of that environment; None for all None.
            options: ``start`` ``(num_envs, 2)``, ``goal`` ``(num_envs, 2)``, and ``reset_mask`` ``(num_envs,)`` bool:
                which environments to restart, all by default.

        Raises:
            ValueError: unknown option, wrong shape, or a start or goal inside a wall. Nothing has been reset then.
        """
        options = check_options(options, allowed=("start", "goal", "reset_mask"))
        chosen = np.flatnonzero(self._checked_mask(options.pop("reset_mask", None)))
        points = {name: self._checked_rows(name, value) for name, value in options.items() if value is not None}
        generators = self._seeded_generators(seed)
        beginnings = [
            draw_beginning(
                self.maze,
                goal_mode=self._goal_mode,
                generator=generators[index],
                **{name: value[index] for name, value in points.items()},
            )
            for index in chosen
        ]
        for index, beginning in zip(chosen, beginnings, strict=True):
            self._generators[index] = generators[index]
            self._balls[index].set_state(*beginning.state)
            self._observations[index] = beginning.state
            self._goals[index] = beginning.goal
        self._elapsed[chosen] = 0
        return self._observations.copy(), self._info()

    def step(  # type: ignore[override]
        self, actions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Advance every environment 0.01 s; actions ``(num_envs, 2)``, all finite, or a ValueError is raised."""
        actions = check_actions(actions, shape=(self.num_envs, 2))
        states = [
            ball.step(action_x, action_y)
            for ball, (action_x, action_y) in zip(self._balls, actions.tolist(), strict=True)
        ]
        self._observations = np.array(states)
        self._elapsed += 1
        rewards = compute_reward(self.maze, self._observations[:, :2], goals=self._goals, dense=self._dense)
        terminations = np.zeros(self.num_envs, dtype=np.bool_)
        return self._observations.copy(), rewards, terminations, self._elapsed >= self._max_episode_steps, self._info()

    def render(self) -> tuple[np.ndarray, ...] | None:  # type: ignore[override]
        """Return one picture ``(height, width, 3)`` uint8 an environment if ``render_mode`` is "rgb_array"."""
        if self.render_mode is None:
            return None
        return tuple(
            draw_frame(self.maze, ball=observation[:2], goal=goal)
            for observation, goal in zip(self._observations, self._goals, strict=True)
        )

    def _info(self) -> dict[str, Any]:
        positions = self._observations[:, :2].copy()
        success = distances(positions, self._goals) <= self.maze.goal_radius
        return {"goal": self._goals.copy(), "position": positions, "success": success}

    def _seeded_generators(self, seed: int | list[int | None] | None) -> list[np.random.Generator]:
        if seed is None or isinstance(seed, int | np.integer):
            seeds = [None if seed is None else int(seed) + index for index in range(self.num_envs)]
        else:
            seeds = list(seed)
        if len(seeds) != self.num_envs:
            raise ValueError(
                f"a list of seeds must have one for each of {self.num_envs} environments; got {len(seeds)}"
            )
        return [
            generator if generator is not None and each is None else seeding.np_random(each)[0]
            for each, generator in zip(seeds, self._generators, strict=True)
        ]

    def _checked_mask(self, mask: np.ndarray | None) -> np.ndarray:
        if mask is None:
            return np.ones(self.num_envs, dtype=np.bool_)
        mask = np.asarray(mask)
        if mask.shape != (self.num_envs,) or mask.dtype != np.bool_ or not mask.any():
            raise ValueError(
                f"reset_mask must be {self.num_envs} booleans with at least one True; got {mask.dtype} {mask.shape}"
            )
        return mask

    def _checked_rows(self, name: str, value: Any) -> np.ndarray:
        array = np.asarray(value, dtype=np.float64)
        if array.shape != (self.num_envs, 2):
            raise ValueError(
                f"{name} must have one (x, y) for each of {self.num_envs} environments; got shape {array.shape}"
            )
        return array
