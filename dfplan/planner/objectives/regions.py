"""Regions to keep out of or to keep in: discs and boxes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from dfplan.errors import UserError
from dfplan.planner.objectives.predicted_plan import Objective, PredictedPlan, length
from dfplan.types import PositionSupport


@dataclass(frozen=True)
class Disc:
    """All points within ``radius`` of ``center``, in environment units.

    Raises:
        UserError: the radius is not positive.
    """

    center: tuple[float, ...]
    radius: float

    def __post_init__(self) -> None:
        if not self.radius > 0:
            raise UserError(f"a disc needs a radius above 0; got {self.radius} at {list(self.center)}")

    def signed_distance(self, points: Tensor) -> Tensor:
        """How far points ``[..., dim]`` are outside; negative inside."""
        return length(points - points.new_tensor(self.center)) - self.radius


@dataclass(frozen=True)
class Box:
    """All points between the corners ``low`` and ``high``, in environment units.

    Raises:
        UserError: ``low`` is not below ``high`` along every axis.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]

    def __post_init__(self) -> None:
        if not all(low < high for low, high in zip(self.low, self.high, strict=True)):
            raise UserError(
                f"a box needs its low corner below its high one; got {list(self.low)} and {list(self.high)}"
            )

    def signed_distance(self, points: Tensor) -> Tensor:
        """How far points ``[..., dim]`` are outside; negative inside."""
        beyond = torch.maximum(points.new_tensor(self.low) - points, points - points.new_tensor(self.high))
        return length(beyond.clamp(min=0)) + beyond.amax(dim=-1).clamp(max=0)


Region = Disc | Box


def keep_out(regions: Sequence[Region], *, margin: float = 0.0) -> Objective:
    """Minus the mean depth, in goal radii, at which points lie in the regions.

    Args:
        regions: where the plan should not go.
        margin: environment units by which the regions are made larger.
    """

    def objective(plan: PredictedPlan) -> Tensor:
        depths = [(margin - region.signed_distance(plan.positions)).clamp(min=0) for region in regions]
        return -torch.stack(depths).sum(dim=0).mean(dim=1) / plan.goal_radius

    return objective


def keep_in(regions: Sequence[Region]) -> Objective:
    """Minus the mean distance, in goal radii, of points from the nearest of the regions."""

    def objective(plan: PredictedPlan) -> Tensor:
        nearest = torch.stack([region.signed_distance(plan.positions) for region in regions]).amin(dim=0)
        return -nearest.clamp(min=0).mean(dim=1) / plan.goal_radius

    return objective


def restrict_support(
    support: PositionSupport, *, keep_out: Sequence[Region], keep_in: Sequence[Region]
) -> PositionSupport:
    """Cells that were visited, lie in none of ``keep_out`` and, if there is any, in one of ``keep_in``."""
    centers = np.stack(np.meshgrid(*(np.arange(size) + 0.5 for size in support.visited.shape), indexing="ij"), axis=-1)
    points = torch.from_numpy(support.origin + support.cell * centers)
    allowed = torch.from_numpy(support.visited)
    for region in keep_out:
        allowed = allowed & (region.signed_distance(points) > 0)
    if keep_in:
        inside = [region.signed_distance(points) <= 0 for region in keep_in]
        allowed = allowed & torch.stack(inside).any(dim=0)
    return replace(support, visited=allowed.numpy())
