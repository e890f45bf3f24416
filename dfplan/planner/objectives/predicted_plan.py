"""The predicted clean plan as objectives see it, in environment units, and how objectives are put together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from dfplan.domains import former

# How sharp the edge of the goal disc is to those who ask whether a plan has arrived, per goal radius.
EDGE_SHARPNESS = 8.0


@dataclass(frozen=True)
class PredictedPlan:
    """Predicted clean plans of a batch, differentiable.

    Attributes:
        starts: ``[batch, goal_dim]`` what is achieved where it is planned from.
        goals: ``[batch, goal_dim]``.
        observations: ``[batch, points, observation_dim]`` in environment units; what is achieved of a goal comes first.
        rewards: ``[batch, tokens]`` predicted share of each token's steps that is spent at the goal; without goals, the
            mean reward of these steps.
        levels: ``[batch or 1, tokens]`` noise level in [0, 1] of the tokens that the plan was predicted from.
        goal_radius: distance that counts as being at the goal: the unit of length.
        seconds_per_point: time between two points.
    """

    starts: Tensor
    goals: Tensor
    observations: Tensor
    rewards: Tensor
    levels: Tensor
    goal_radius: float
    seconds_per_point: float

    @property
    def achieved_goals(self) -> Tensor:
        """What is achieved of a goal at every point, such as where the robot is, ``[batch, points, goal_dim]``."""
        return self.observations[..., : self.starts.shape[-1]]

    def __getattr__(self, name: str) -> Any:
        return former.present(self, name)

    @property
    def goal_distances(self) -> Tensor:
        """Distance of every point to the goal ``[batch, points]``, in goal radii."""
        return length(self.achieved_goals - self.goals[:, None]) / self.goal_radius

    @property
    def arrived(self) -> Tensor:
        """Whether the plan was at the goal at a point or before, ``[batch, points]`` from 0 to 1, without gradient."""
        outside = torch.sigmoid(EDGE_SHARPNESS * (self.goal_distances.detach() - 1))
        return 1 - outside.cumprod(dim=1)

    @property
    def path(self) -> Tensor:
        """What is achieved at the start and at every point ``[batch, 1 + points, goal_dim]``."""
        return torch.cat([self.starts[:, None], self.achieved_goals], dim=1)


Objective = Callable[[PredictedPlan], Tensor]
"""Maps predicted plans to a value ``[batch]`` to be made large."""


def length(vectors: Tensor) -> Tensor:
    """Euclidean length along the last dimension, with a gradient of zero (not infinite) at zero length."""
    squared = vectors.square().sum(dim=-1)
    return torch.where(squared > 0, squared.clamp(min=1e-12).sqrt(), squared)


def soft_minimum(values: Tensor, *, temperature: float) -> Tensor:
    """Minimum along the last dimension, smoothed: ``-temperature * log(sum(exp(-values / temperature)))``.

    Never above the minimum; below it by at most ``temperature * log(n)``. Its gradient is shared by all values within a
    few temperatures of the least.
    """
    return -temperature * torch.logsumexp(-values / temperature, dim=-1)


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
