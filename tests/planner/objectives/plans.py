"""Predicted plans made by hand."""

import torch

from dfplan.planner.objectives import PredictedPlan


def plan_along(positions, *, start=(0.0, 0.0), goal=(0.0, 0.0), rewards=None, levels=None):
    """A batch of plans through ``positions`` ``[batch, points, 2]``, two points a token; the unit is 1, a point 1 s."""
    positions = torch.as_tensor(positions, dtype=torch.float32)
    batch, points, _ = positions.shape
    num_tokens = max(points // 2, 1)
    return PredictedPlan(
        starts=torch.tensor([start]).expand(batch, 2),
        goals=torch.tensor([goal]).expand(batch, 2),
        observations=torch.cat([positions, torch.zeros_like(positions)], dim=-1),
        rewards=torch.zeros(batch, num_tokens) if rewards is None else torch.as_tensor(rewards),
        levels=torch.zeros(1, num_tokens) if levels is None else torch.as_tensor(levels),
        goal_radius=1.0,
        seconds_per_point=1.0,
    )


def gradient_of(objective, positions, **options):
    """Gradient of an objective with respect to the positions of a plan."""
    positions = torch.as_tensor(positions, dtype=torch.float32).requires_grad_()
    (gradient,) = torch.autograd.grad(objective(plan_along(positions, **options)).sum(), positions)
    return gradient
