"""What plans without goals earn, differentiable: by predicted rewards, and the value of where they end."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from dfplan.planner.objectives.predicted_plan import Objective, PredictedPlan
from dfplan.scorers import ReturnScorer
from dfplan.scorers.networks import FARTHEST, ValueNetworks
from dfplan.scorers.value import ValueFunction


def expected_return(scorer: ReturnScorer, *, steps_per_token: int) -> Objective:
    """What the scorer ranks plans by, in spans from the least to the largest value: the same weight for every robot.

    Without a value, a span is what a reward of 1 a step comes to.
    """
    discount, value = scorer.discount, scorer.value
    span = 1 / max(1 - discount, 1e-3) if value is None else float(np.ptp(value.range))
    of_states = None if value is None else value_of_states(value)
    of_a_token = float((discount ** np.arange(steps_per_token)).sum())  # a token tells the mean reward of its steps

    def objective(plan: PredictedPlan) -> Tensor:
        ahead = steps_per_token * torch.arange(plan.rewards.shape[1] + 1, device=plan.rewards.device)
        worth = discount**ahead
        earned = (of_a_token * worth[:-1] * plan.rewards).sum(dim=1)
        if of_states is not None:
            earned = earned + worth[-1] * of_states(plan.observations[:, -1])
        return earned / span

    return objective


def value_of_states(value: ValueFunction | ValueNetworks) -> Callable[[Tensor], Tensor]:
    """Values ``[batch]`` of states ``[batch, observation_dim]``, as the value itself says them, with gradients."""
    return _by_networks(value) if isinstance(value, ValueNetworks) else _by_features(value)


def _by_features(value: ValueFunction) -> Callable[[Tensor], Tensor]:
    mean, std, frequencies, phases, weights = (
        torch.as_tensor(each, dtype=torch.float32)
        for each in (value.mean, value.std, value.frequencies, value.phases, value.weights)
    )

    def values(states: Tensor) -> Tensor:
        normal = (states - mean) / std
        features = torch.cat([normal, torch.cos(normal @ frequencies + phases)], dim=-1)
        return (weights[0] + features @ weights[1:]).clamp(*value.range.tolist())

    return values


def _by_networks(value: ValueNetworks) -> Callable[[Tensor], Tensor]:
    mean, std = (torch.as_tensor(each, dtype=torch.float32) for each in (value.mean, value.std))
    layers = [
        (torch.as_tensor(weight), torch.as_tensor(bias)[:, None])
        for weight, bias in zip(value.weights, value.biases, strict=True)
    ]

    def values(states: Tensor) -> Tensor:
        hidden = ((states - mean) / std).clamp(-FARTHEST, FARTHEST)[None]
        for number, (weight, bias) in enumerate(layers):
            hidden = hidden @ weight + bias
            hidden = hidden.relu() if number < len(layers) - 1 else hidden
        outputs = hidden[..., 0].mean(dim=0)
        return (value.scale[0] + value.scale[1] * outputs).clamp(*value.range.tolist())

    return values
