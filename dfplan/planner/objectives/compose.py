"""Sums of objectives, and weights that depend on how noisy a token still is."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from dfplan.planner.objectives.predicted_plan import Objective, PredictedPlan


def weighted_sum(objectives: Sequence[Objective], *, weights: Sequence[float]) -> Objective:
    """Weighted sum of objectives.

    Raises:
        ValueError: not one weight for each.
    """
    if len(objectives) != len(weights):
        raise ValueError(f"each objective needs one weight; got {len(objectives)} objectives, {len(weights)} weights")

    def objective(plan: PredictedPlan) -> Tensor:
        values = [weight * each(plan) for each, weight in zip(objectives, weights, strict=True)]
        return torch.stack(values).sum(dim=0)

    return objective


def weighted_by_level(objective: Objective, *, weight: Callable[[Tensor], Tensor]) -> Objective:
    """The same value, but what a token contributes to the gradient is weighted by its noise level.

    Args:
        objective: what to make large.
        weight: maps noise levels in [0, 1], of any shape, to weights.
    """

    def weighted(plan: PredictedPlan) -> Tensor:
        weights = weight(plan.levels)
        points_per_token = plan.observations.shape[1] // plan.rewards.shape[1]
        at_points = weights.repeat_interleave(points_per_token, dim=1)[..., None]
        return objective(
            replace(
                plan,
                observations=_with_gradient(plan.observations, at_points),
                rewards=_with_gradient(plan.rewards, weights),
            )
        )

    return weighted


def _with_gradient(values: Tensor, weights: Tensor) -> Tensor:
    """The values, whose gradient is multiplied by the weights."""
    return values.detach() + weights * (values - values.detach())
