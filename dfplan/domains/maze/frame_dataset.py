"""Frames of recorded positions, drawn when asked for: an image is a function of the state, so none is stored."""

import numpy as np

from dfplan.domains.maze.frames import Camera
from dfplan.types import Trajectories


class FrameDataset:
    """Draws rows of trajectories and shows the frames there.

    Args:
        trajectories: the data; the first two dimensions of an observation are the position.
        camera: draws.
    """

    def __init__(self, trajectories: Trajectories, *, camera: Camera) -> None:
        self.positions = trajectories.observations[:, :2]
        self.camera = camera

    def sample(self, batch_size: int, generator: np.random.Generator) -> dict[str, np.ndarray]:
        """``frames`` ``(batch, height, width, 3)`` uint8 and ``places`` ``(batch, 2)``."""
        positions = self.positions[generator.integers(len(self.positions), size=batch_size)]
        return {"frames": self.camera.render(positions), "places": positions}
