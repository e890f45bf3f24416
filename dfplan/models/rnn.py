"""The causal recurrent denoiser of the paper: a belief that a clean token updates and a noisy token only questions."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812 - the customary name
from torch import Tensor, nn

from dfplan.models.denoiser import Denoiser, DenoiserState, LevelEmbedding, TokenEmbedding


class RecurrentDenoiser(Denoiser):
    """Gated recurrent units over tokens with a noise level each (arXiv 2407.01392, section 3.2 and appendix D).

    The hidden state after token ``t`` is the belief ``z_t``. Fed a clean token (level 0) it is the posterior update of
    a Bayes filter; fed pure noise it is the prior prediction.

    Args:
        token_dim: numbers in a token.
        goal_slots: slots of a token that hold places (they also enter as sines and cosines).
        num_prefix_tokens: leading tokens with a kind of their own.
        width: size of the belief in each layer.
        num_layers: stacked recurrent layers.
    """

    def __init__(
        self,
        *,
        token_dim: int,
        goal_slots: Sequence[int],
        num_prefix_tokens: int,
        width: int = 256,
        num_layers: int = 2,
    ) -> None:
        super().__init__()
        self.token_dim = token_dim
        self.embed_tokens = TokenEmbedding(
            token_dim=token_dim, width=width, goal_slots=goal_slots, num_prefix_tokens=num_prefix_tokens
        )
        self.embed_levels = LevelEmbedding(width)
        self.layers = nn.ModuleList(nn.GRU(width, width, batch_first=True) for _ in range(num_layers))
        self.modulate = nn.Linear(width, 2 * width)
        self.head = nn.Sequential(nn.Linear(width, 2 * width), nn.SiLU(), nn.Linear(2 * width, token_dim))

    def block_matrices(self) -> list[nn.Parameter]:
        """No matrices for Muon: recurrent weights stack their gates in one matrix, which it would mix."""
        return []

    def forward(
        self, noisy: Tensor, levels: Tensor, state: DenoiserState | None = None
    ) -> tuple[Tensor, DenoiserState]:
        """See :meth:`Denoiser.forward`; the state holds the belief after every token, ``[batch, tokens, width]``."""
        first = 0 if state is None else state.num_tokens
        level = self.embed_levels(levels)
        embedded = F.silu(self.embed_tokens(noisy, first=first) + level)
        hidden, beliefs = embedded, []
        for index, layer in enumerate(self.layers):
            before = None if state is None or not first else state.layers[index][:, -1].contiguous()[None]
            # The recurrence runs in float32: its rounding errors would add up along the sequence.
            with torch.autocast(noisy.device.type, enabled=False):
                outputs, _ = layer(hidden.float(), None if before is None else before.float())
            beliefs.append(outputs if state is None else torch.cat([state.layers[index], outputs], dim=1))
            hidden = hidden + outputs
        shift, scale = self.modulate(F.silu(level)).chunk(2, dim=-1)
        out = self.head(F.layer_norm(hidden, hidden.shape[-1:]) * (1 + scale) + shift)
        return out.float(), DenoiserState(tuple(beliefs))
