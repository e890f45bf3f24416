"""The T-maze seen through the camera above it; the light is a lamp to the left or to the right of the start."""

from typing import Any

import numpy as np
from gymnasium import spaces

from dfplan_envs.camera import IMAGE_SIZE, TopCamera
from dfplan_envs.tmaze import LEFT, RIGHT, TMAZE, TMazeEnv

LAMP_COLOR = (0, 158, 115)
_LAMP_RADIUS = 3.5  # pixels
_LAMPS = {LEFT: (3.3, 1.3), RIGHT: (3.3, 4.3)}  # in the wall on either side of the stem's foot


class PixelTMazeEnv(TMazeEnv):
    """The T-maze observed as frames ``(64, 64, 3)`` uint8, without velocity; a disturbed frame is noise all over.

    Attributes:
        camera: draws maze and ball.
    """

    def __init__(self, **arguments: Any) -> None:
        """Build the environment; see ``TMazeEnv`` for the arguments."""
        self.camera = TopCamera(TMAZE)
        pixels = np.stack(np.meshgrid(np.arange(IMAGE_SIZE), np.arange(IMAGE_SIZE), indexing="ij"), axis=-1) + 0.5
        places = {cue: self.camera.to_pixels(np.array(place)) for cue, place in _LAMPS.items()}
        self._lamps = {cue: np.linalg.norm(pixels - place, axis=-1) < _LAMP_RADIUS for cue, place in places.items()}
        super().__init__(**arguments)

    def observe(self, states: np.ndarray, *, light: np.ndarray) -> np.ndarray:
        """See ``TMazeEnv.observe``."""
        frames = self.camera.render(states[:, :2])
        for cue, lamp in self._lamps.items():
            lit = np.flatnonzero(light == cue)
            frames[lit] = np.where(lamp[..., None], np.array(LAMP_COLOR, np.uint8), frames[lit])
        return frames

    def _observation_space(self) -> spaces.Box:
        return spaces.Box(0, 255, (IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)
