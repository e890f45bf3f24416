"""Objectives about how the plan moves: not too fast, and smoothly."""

import torch
from torch import Tensor

from dfplan.planner.objectives.predicted_plan import Objective, PredictedPlan, length


def speed_limit(limit: float) -> Objective:
    """Minus the mean share by which the way between two points is driven faster than ``limit`` (units per second)."""

    def objective(plan: PredictedPlan) -> Tensor:
        speed = length(torch.diff(plan.path, dim=1)) / plan.seconds_per_point
        return -(speed / limit - 1).clamp(min=0).mean(dim=1)

    return objective


def smoothness(plan: PredictedPlan) -> Tensor:
    """Minus the mean squared change of the step from point to point, in goal radii."""
    bends = torch.diff(plan.path, n=2, dim=1) / plan.goal_radius
    return -bends.square().sum(dim=-1).sum(dim=1) / max(bends.shape[1], 1)
