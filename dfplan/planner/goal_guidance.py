"""Classifier-free guidance towards the goal, through token noise levels: a goal token of pure noise is no goal."""

import torch
from torch import Tensor

from dfplan.models.denoiser import Denoiser, DenoiserState
from dfplan.tokens import GOAL_TOKEN


class GoalGuided(Denoiser):
    """Exaggerates what the goal changes: ``without + weight * (with - without)`` (arXiv 2207.12598, eq. 6).

    Both predictions come from one call of the network on a doubled batch. The first call of a sequence holds the goal
    token; the state holds both memories side by side.

    Args:
        inner: the network.
        weight: 0 is without the goal, 1 with it, more exaggerates; for 0 and 1 the network itself is cheaper.
    """

    def __init__(self, inner: Denoiser, *, weight: float) -> None:
        super().__init__()
        self.inner = inner
        self.weight = weight
        self.token_dim = inner.token_dim
        self.causal = inner.causal
        self.passes = 2 * inner.passes

    def forward(
        self, noisy: Tensor, levels: Tensor, state: DenoiserState | None = None
    ) -> tuple[Tensor, DenoiserState]:
        """See :meth:`Denoiser.forward`; the state's last dimension is that of the network, twice."""
        levels = levels.expand(len(noisy), -1, -1)
        blind_noisy, blind_levels, both = noisy, levels, None
        if state is None:
            blind_noisy, blind_levels = hide_goal(noisy, levels)
        else:
            both = DenoiserState(tuple(torch.cat(layer.chunk(2, dim=-1)) for layer in state.layers))
        prediction, grown = self.inner(torch.cat([noisy, blind_noisy]), torch.cat([levels, blind_levels]), both)
        seeing, blind = prediction.chunk(2)
        merged = DenoiserState(tuple(torch.cat(layer.chunk(2), dim=-1) for layer in grown.layers))
        return torch.lerp(blind, seeing, self.weight), merged


def hide_goal(noisy: Tensor, levels: Tensor) -> tuple[Tensor, Tensor]:
    """A sequence that begins with the goal token, and its levels, where the goal is not shown."""
    hidden_noisy, hidden_levels = noisy.clone(), levels.clone()
    hidden_noisy[:, GOAL_TOKEN], hidden_levels[:, GOAL_TOKEN] = 0.0, 1.0
    return hidden_noisy, hidden_levels
