"""Warm start: a new plan begins from what is left of the last one, made noisy again but not to pure noise."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from dfplan.diffusion import add_noise
from dfplan.models.forcing_model import ForcingModel
from dfplan.types import Plan


def rest_of_plan(plan: Plan, *, row: int, elapsed: int) -> Plan | None:
    """What is left of one plan after ``elapsed`` steps, as a batch of one.

    Returns:
        None where nothing is left, or where ``elapsed`` is no whole number of tokens: a token cannot be split.
    """
    steps_per_token = plan.actions.shape[1] // plan.rewards.shape[1]
    num_steps = int(plan.num_steps[row]) - elapsed
    if elapsed % steps_per_token or num_steps <= 0:
        return None
    tokens = slice(elapsed // steps_per_token, int(plan.num_steps[row]) // steps_per_token)
    points = slice(elapsed // plan.steps_per_point, int(plan.num_steps[row]) // plan.steps_per_point)
    return Plan(
        observations=plan.observations[row : row + 1, points],
        actions=plan.actions[row : row + 1, elapsed : int(plan.num_steps[row])],
        rewards=plan.rewards[row : row + 1, tokens],
        arrival=plan.arrival[row : row + 1] - elapsed,
        num_steps=np.array([num_steps]),
        value=plan.value[row : row + 1],
        steps_per_point=plan.steps_per_point,
    )


def warm_start(
    noise: Tensor,
    previous: Sequence[Plan | None],
    *,
    model: ForcingModel,
    warm_level: float,
    num_levels: int,
    level_power: float = 1.0,
) -> tuple[Tensor, Tensor]:
    """Noisy tokens, and the levels they are at, to start denoising from.

    Args:
        noise: ``[batch, tokens, token_dim]`` standard Gaussian; the batch holds equally many candidates of each
            environment, one environment after the other.
        previous: what is left of each environment's last plan, or None.
        model: the trained model.
        warm_level: noise level of the tokens that the previous plan covers; the others stay pure noise.
        num_levels: the integer level that is pure noise.
        level_power: how levels are spaced (see :class:`~dfplan.planner.sampler.Sampling`).

    Returns:
        Tokens ``[batch, tokens, token_dim]`` and integer levels ``[batch, tokens]``.
    """
    level = max(1, round(warm_level ** (1 / level_power) * num_levels))
    tokens, levels = noise.clone(), torch.full(noise.shape[:2], num_levels, device=noise.device)
    count = len(noise) // len(previous)
    for index, plan in enumerate(previous):
        if plan is None:
            continue
        clean = _pack(plan, model=model, device=noise.device)[:, : noise.shape[1]]
        rows, covered = slice(index * count, (index + 1) * count), slice(0, clean.shape[1])
        tokens[rows, covered] = add_noise(
            clean.expand(count, -1, -1),
            noise[rows, covered],
            level=torch.tensor((level / num_levels) ** level_power, device=noise.device),
            schedule=model.parameterization.schedule,
        )
        levels[rows, covered] = level
    return tokens, levels


def _pack(plan: Plan, *, model: ForcingModel, device: torch.device) -> Tensor:
    """Normalised tokens ``[1, tokens, token_dim]`` of a plan."""
    actions, rewards, observations = (
        torch.as_tensor(each, dtype=torch.float32, device=device)
        for each in (plan.actions, plan.rewards, plan.observations)
    )
    normalizer = model.normalizer
    return model.layout.pack(
        normalizer.actions(actions), normalizer.rewards(rewards), normalizer.observations(observations)
    )
