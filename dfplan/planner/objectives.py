"""What a plan should be good at: differentiable functions from predicted clean tokens to a value per plan.

Every objective is normalised by its own length, so that strength does not depend on the horizon.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from dfplan.planner.sampler import Objective
from dfplan.tokens import Normalizer, TokenLayout


def predicted_return(*, layout: TokenLayout, normalizer: Normalizer) -> Objective:
    """Mean predicted share of time at the goal: the reward slots (arXiv 2407.01392, section 3.4)."""

    def objective(tokens: Tensor) -> Tensor:
        return normalizer.rewards_back(layout.unpack(tokens)[1]).mean(dim=1)

    return objective


def goal_distance(goals: Tensor, *, layout: TokenLayout, normalizer: Normalizer) -> Objective:
    """Minus the mean distance of the planned points to the goals ``[batch, position_dim]`` in environment units."""

    def objective(tokens: Tensor) -> Tensor:
        observations = normalizer.observations_back(layout.unpack(tokens)[2])
        offset = observations[..., : layout.position_dim] - goals[:, None]
        # The square root has no gradient at zero distance; 1e-6 keeps it finite there.
        return -(offset.square().sum(dim=-1) + 1e-6).sqrt().mean(dim=1)

    return objective


def weighted_sum(objectives: Sequence[Objective], *, weights: Sequence[float]) -> Objective:
    """Weighted sum of objectives."""
    if len(objectives) != len(weights):
        raise ValueError(f"each objective needs one weight; got {len(objectives)} objectives, {len(weights)} weights")

    def objective(tokens: Tensor) -> Tensor:
        values = [weight * each(tokens) for each, weight in zip(objectives, weights, strict=True)]
        return torch.stack(values).sum(dim=0)

    return objective
