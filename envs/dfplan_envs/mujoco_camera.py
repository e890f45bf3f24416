"""The maze as MuJoCo draws it, with perspective and other colours, to test what was learned from other views."""

# pyright: reportAttributeAccessIssue=false
# (MuJoCo's Python module is compiled and comes without type stubs.)

import math

import mujoco
import numpy as np

from dfplan_envs.camera import IMAGE_SIZE, WholeMaze, ball_radius_in_pixels, check_positions
from dfplan_envs.mazes import CELL_CENTRE_OFFSET, Maze
from dfplan_envs.physics import BODY_ORIGIN, build_model

_FLOOR, _WALL, _BALL = (0.75, 0.7, 0.6, 1.0), (0.35, 0.3, 0.25, 1.0), (0.1, 0.5, 0.2, 1.0)


class MujocoCamera(WholeMaze):
    """All of the maze from straight above, through ``mujoco.Renderer``; a few hundred frames a second.

    Places are those on the ground; walls lean outwards.
    """

    def __init__(self, maze: Maze) -> None:
        """Open the renderer.

        Raises:
            RuntimeError: no OpenGL is to be had.
        """
        super().__init__(maze)
        self._model = build_model(maze)
        self._model.vis.quality.offsamples = 0  # without anti-aliasing and shadows it is many times faster
        self._data = mujoco.MjData(self._model)
        self._dress(ball_radius_in_pixels(self.pixels_per_unit) / self.pixels_per_unit)
        self._view = self._look_down(maze)
        try:
            self._renderer = mujoco.Renderer(self._model, IMAGE_SIZE, IMAGE_SIZE)
        except Exception as error:  # which one depends on the platform's GL library
            raise RuntimeError(
                "view='mujoco' needs OpenGL and found none: install EGL or OSMesa (Debian: libegl1 or libosmesa6) and "
                f"set MUJOCO_GL=egl or MUJOCO_GL=osmesa before Python starts ({error})"
            ) from error
        self._renderer.scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = False

    def render(self, positions: np.ndarray) -> np.ndarray:
        """See :class:`~dfplan_envs.camera.Camera`. ValueError if a position is not finite."""
        positions = check_positions(positions)
        frames = np.empty((*positions.shape[:-1], IMAGE_SIZE, IMAGE_SIZE, 3), dtype=np.uint8)
        for frame, position in zip(
            frames.reshape(-1, IMAGE_SIZE, IMAGE_SIZE, 3), positions.reshape(-1, 2), strict=True
        ):
            self._data.qpos[:] = position
            mujoco.mj_forward(self._model, self._data)
            self._renderer.update_scene(self._data, camera=self._view)
            self._renderer.render(out=frame)
        return frames

    def _dress(self, ball_radius: float) -> None:
        """Colour everything and make the ball as big as in the other views; this model is for looking at only."""
        self._model.geom_rgba[:] = _WALL
        self._model.geom("ground").rgba = _FLOOR
        self._model.geom("ball").rgba = _BALL
        self._model.geom("ball").size[0] = ball_radius

    def _look_down(self, maze: Maze) -> mujoco.MjvCamera:
        """Stand above the middle of the maze, x downwards and y to the right, so high that all of it is seen."""
        view = mujoco.MjvCamera()
        middle = BODY_ORIGIN + CELL_CENTRE_OFFSET + (np.array(maze.walls.shape) - 1) / 2
        view.lookat[:] = *middle, 0.0
        half_angle = math.radians(self._model.vis.global_.fovy) / 2
        view.distance = max(maze.walls.shape) / 2 / math.tan(half_angle)
        view.azimuth, view.elevation = 180.0, -90.0
        return view
