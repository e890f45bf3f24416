"""Progress along a map: distances to the goal that the user supplies on a grid."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the customary name
from torch import Tensor

from dfplan.errors import UserError
from dfplan.planner.objectives.predicted_plan import Objective, PredictedPlan

MAX_FIELD_BYTES = 64 * 2**20  # unpacked: a small file may hold a bomb


@dataclass(frozen=True)
class DistanceField:
    """Distance left to the goal over a plane, such as along the corridors of a building.

    Attributes:
        distances: ``[cells along x, cells along y]`` at the centres of the cells, in environment units, finite also in
            obstacles (give them more than their neighbours).
        origin: corner of cell (0, 0).
        cell: edge length of a cell.

    Raises:
        UserError: no grid of at least 2 by 2 finite numbers, or a cell without size.
    """

    distances: Tensor
    origin: tuple[float, float]
    cell: float

    def __post_init__(self) -> None:
        if self.distances.ndim != 2 or min(self.distances.shape) < 2 or not torch.isfinite(self.distances).all():
            raise UserError(
                "a distance field is a grid of at least 2 by 2 finite numbers (obstacles too: give them more than "
                f"their neighbours); got shape {list(self.distances.shape)}"
            )
        if not self.cell > 0:
            raise UserError(f"the cell of a distance field must be above 0; got {self.cell}")

    def __call__(self, points: Tensor) -> Tensor:
        """Distance left at points ``[..., 2]``: bilinear between cell centres, that of the border outside."""
        shape = points.new_tensor(self.distances.shape)
        place = (points - points.new_tensor(self.origin)) / self.cell
        # grid_sample reads the last axis of the grid first and spans the grid from -1 to 1.
        grid = (2 * place / shape - 1).flip(-1).reshape(1, 1, -1, 2)
        field = self.distances.to(points)[None, None]
        read = F.grid_sample(field, grid, mode="bilinear", padding_mode="border", align_corners=False)
        return read.reshape(points.shape[:-1])


def load_distance_field(path: Path) -> DistanceField:
    """Read a distance field from an ``.npz`` file with the arrays ``distances``, ``origin`` and ``cell``.

    Raises:
        UserError: no such file, or it does not hold these arrays.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > MAX_FIELD_BYTES:
                raise ValueError(f"its arrays are larger than {MAX_FIELD_BYTES:,} bytes")
        with np.load(path) as arrays:
            distances, origin, cell = (arrays[name] for name in ("distances", "origin", "cell"))
            field = torch.from_numpy(distances).float(), (float(origin[0]), float(origin[1])), float(cell)
    except FileNotFoundError as error:
        raise UserError(f"no distance field at {path}") from error
    except (
        OSError,
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
        MemoryError,
        zipfile.BadZipFile,
    ) as error:
        raise UserError(
            f"{path} is no distance field ({error}); write one with np.savez(path, distances=<grid along x and y>, "
            "origin=<x and y of the corner of its first cell>, cell=<edge length of a cell>)"
        ) from error
    return DistanceField(*field)


def field_progress(field: DistanceField) -> Objective:
    """How much less distance is left, on average over the points, than at the start; in goal radii."""

    def objective(plan: PredictedPlan) -> Tensor:
        return (field(plan.starts) - field(plan.achieved_goals).mean(dim=1)) / plan.goal_radius

    return objective
