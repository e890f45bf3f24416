"""The way from the coordinates of Gymnasium-Robotics' PointMaze to D4RL's maze2d."""

from dataclasses import replace

import numpy as np

from dfplan.data.formats.minari_file import open_minari
from dfplan.types import Trajectories


def is_pointmaze(dataset_id: str) -> bool:
    """Tell whether it was recorded in a PointMaze of Gymnasium-Robotics, whose coordinates differ from D4RL's."""
    spec = open_minari(dataset_id).env_spec
    return spec is not None and spec.id.startswith("PointMaze")


def to_d4rl_coordinates(trajectories: Trajectories, *, num_rows: int, num_columns: int) -> Trajectories:
    """Turn PointMaze trajectories into those of the same walls in D4RL's maze2d; ball and motors are the same.

    PointMaze has its origin in the middle, x to the right and y upwards, and cell (i, j) centred on
    ``(j + 0.5 - num_columns / 2, num_rows / 2 - i - 0.5)``; in maze2d x is the row, y the column, and the cell is
    centred on ``(i - 0.2, j - 0.2)``.

    Args:
        trajectories: observations ``(rows, 4)``: position and velocity; actions ``(rows, 2)``.
        num_rows: of the maze's layout, outer walls included.
        num_columns: likewise.
    """
    x, y, vx, vy = trajectories.observations.T
    right, up = trajectories.actions.T
    observations = np.stack([num_rows / 2 - 0.7 - y, x + num_columns / 2 - 0.7, -vy, vx], axis=1)
    return replace(
        trajectories,
        observations=observations.astype(np.float32),
        actions=np.stack([-up, right], axis=1).astype(np.float32),
    )
