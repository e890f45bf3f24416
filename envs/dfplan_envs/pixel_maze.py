"""The mazes seen through a camera: physics, goals and rewards of maze2d, frames in the place of states."""

from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector.utils import batch_space

from dfplan_envs.camera import IMAGE_SIZE, build_camera
from dfplan_envs.maze_env import MazeEnv
from dfplan_envs.vector_env import MazeVectorEnv


def _frame_space() -> spaces.Box:
    return spaces.Box(0, 255, (IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)


class PixelMazeEnv(MazeEnv):
    """A ball in a maze, observed as a frame ``(64, 64, 3)`` uint8: no velocity in it, and the goal is not drawn.

    ``info`` of reset and step: what ``MazeEnv`` says, and ``goal_image``, the frame of the ball at the goal.

    Attributes:
        camera: turns positions ``(..., 2)`` into frames; see :class:`~dfplan_envs.camera.Camera`.
    """

    def __init__(self, maze_name: str, *, view: str = "top", **arguments: Any) -> None:
        """Build one of the mazes.

        Args:
            maze_name: one of ``dfplan_envs.MAZE_NAMES``.
            view: see :func:`~dfplan_envs.camera.build_camera`.
            arguments: those of ``MazeEnv``.
        """
        super().__init__(maze_name, **arguments)
        self.camera = build_camera(self.maze, view=view)
        self.observation_space = _frame_space()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start an episode; see ``MazeEnv.reset``."""
        _, info = super().reset(seed=seed, options=options)
        self._goal_image = self.camera.render(info["goal"])
        return self.camera.render(info["position"]), info | {"goal_image": self._goal_image.copy()}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Advance 0.01 s; see ``MazeEnv.step``."""
        _, reward, terminated, truncated, info = super().step(action)
        info["goal_image"] = self._goal_image.copy()
        return self.camera.render(info["position"]), reward, terminated, truncated, info


class PixelMazeVectorEnv(MazeVectorEnv):
    """Many mazes seen through cameras: ``MazeVectorEnv`` with frames ``(num_envs, 64, 64, 3)`` for observations.

    ``info`` has ``goal_image`` ``(num_envs, 64, 64, 3)`` besides what ``MazeVectorEnv`` says.

    Attributes:
        camera: as in ``PixelMazeEnv``.
    """

    def __init__(self, num_envs: int, maze_name: str, *, view: str = "top", **arguments: Any) -> None:
        """Build the environments; see ``PixelMazeEnv`` and ``MazeVectorEnv`` for the arguments."""
        super().__init__(num_envs, maze_name, **arguments)
        self.camera = build_camera(self.maze, view=view)
        self.single_observation_space = _frame_space()
        self.observation_space = batch_space(self.single_observation_space, num_envs)

    def reset(  # type: ignore[override]
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start new episodes; see ``MazeVectorEnv.reset``."""
        _, info = super().reset(seed=seed, options=options)
        self._goal_images = self.camera.render(info["goal"])
        return self.camera.render(info["position"]), info | {"goal_image": self._goal_images.copy()}

    def step(  # type: ignore[override]
        self, actions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Advance every environment 0.01 s; see ``MazeVectorEnv.step``."""
        _, rewards, terminations, truncations, info = super().step(actions)
        info["goal_image"] = self._goal_images.copy()
        return self.camera.render(info["position"]), rewards, terminations, truncations, info
