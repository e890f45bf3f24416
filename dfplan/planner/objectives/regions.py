"""Objectives about regions to keep out of or to keep in."""

from collections.abc import Sequence

import torch
from torch import Tensor

from dfplan.planner.objectives.predicted_plan import Objective, PredictedPlan, length
from dfplan.planner.regions import Disc, Region


def signed_distance(region: Region, points: Tensor) -> Tensor:
    """How far points ``[..., dim]`` are outside a region, differentiable; negative inside."""
    if isinstance(region, Disc):
        return length(points - points.new_tensor(region.center)) - region.radius
    beyond = torch.maximum(points.new_tensor(region.low) - points, points - points.new_tensor(region.high))
    return length(beyond.clamp(min=0)) + beyond.amax(dim=-1).clamp(max=0)


def keep_out(regions: Sequence[Region], *, margin: float = 0.0) -> Objective:
    """Minus the mean depth, in goal radii, at which points lie in the regions.

    Args:
        regions: where the plan should not go.
        margin: environment units by which the regions are made larger.
    """

    def objective(plan: PredictedPlan) -> Tensor:
        depths = [(margin - signed_distance(region, plan.achieved_goals)).clamp(min=0) for region in regions]
        return -torch.stack(depths).sum(dim=0).mean(dim=1) / plan.goal_radius

    return objective


def keep_in(regions: Sequence[Region]) -> Objective:
    """Minus the mean distance, in goal radii, of points from the nearest of the regions."""

    def objective(plan: PredictedPlan) -> Tensor:
        nearest = torch.stack([signed_distance(region, plan.achieved_goals) for region in regions]).amin(dim=0)
        return -nearest.clamp(min=0).mean(dim=1) / plan.goal_radius

    return objective
