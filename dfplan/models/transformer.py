"""The transformer denoiser: rotary positions, level-modulated blocks, causal by default with a key/value cache."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812 - the customary name
from torch import Tensor, nn

from dfplan.errors import UserError
from dfplan.models.denoiser import Denoiser, DenoiserState, LevelEmbedding, TokenEmbedding


def _rotate(values: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Rotate ``[batch, tokens, heads, head_dim]`` by position (RoFormer, arXiv 2104.09864, section 3.4.2)."""
    first, second = values.chunk(2, dim=-1)
    return torch.cat([first * cosine - second * sine, first * sine + second * cosine], dim=-1)


class _Block(nn.Module):
    """Attention and feed-forward, both modulated by the token's noise level (DiT, arXiv 2212.09748, adaLN-Zero).

    The modulation comes from one projection shared by all blocks plus an offset of the block's own (PixArt-alpha,
    arXiv 2310.00426, adaLN-single).
    """

    def __init__(self, width: int, *, num_heads: int, causal: bool) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.causal = causal
        self.attention_in = nn.Linear(width, 3 * width, bias=False)
        self.attention_out = nn.Linear(width, width, bias=False)
        self.feed_in = nn.Linear(width, 4 * width, bias=False)
        self.feed_out = nn.Linear(4 * width, width, bias=False)
        self.modulation_offset = nn.Parameter(torch.zeros(6 * width))

    def forward(
        self,
        hidden: Tensor,
        modulation: Tensor,
        rotation: tuple[Tensor, Tensor],
        cache: Tensor | None,
        mask: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """Return the new hidden values and the keys and values ``[batch, all tokens, 2 * width]`` seen so far."""
        shift, scale, gate, feed_shift, feed_scale, feed_gate = (modulation + self.modulation_offset).chunk(6, dim=-1)
        normal = F.layer_norm(hidden, hidden.shape[-1:])
        query_key, value = self.attention_in(torch.addcmul(shift, normal, 1 + scale)).split(
            [2 * hidden.shape[-1], hidden.shape[-1]], dim=-1
        )
        attended, cache = self._attend(query_key, value, rotation, cache, mask)
        hidden = torch.addcmul(hidden, gate, self.attention_out(attended))
        normal = F.layer_norm(hidden, hidden.shape[-1:])
        fed = self.feed_in(torch.addcmul(feed_shift, normal, 1 + feed_scale))
        return torch.addcmul(hidden, feed_gate, self.feed_out(F.gelu(fed, approximate="tanh"))), cache

    def _attend(
        self,
        query_key: Tensor,
        value: Tensor,
        rotation: tuple[Tensor, Tensor],
        cache: Tensor | None,
        mask: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        batch, tokens, width = value.shape
        rotated = _rotate(query_key.view(batch, tokens, 2 * self.num_heads, -1), *rotation).to(value.dtype)
        query, key = rotated.chunk(2, dim=2)
        # Keys are stored rotated: a cached token keeps its position.
        pair = torch.cat([key.flatten(2), value], dim=-1)
        cache = pair if cache is None else torch.cat([cache, pair], dim=1)
        heads = cache.view(batch, -1, 2, self.num_heads, width // self.num_heads).transpose(1, 3)
        is_causal = self.causal and mask is None and tokens > 1
        attended = F.scaled_dot_product_attention(
            query.transpose(1, 2), heads[:, :, 0], heads[:, :, 1], attn_mask=mask, is_causal=is_causal
        )
        return attended.transpose(1, 2).reshape(batch, tokens, width), cache


class TransformerDenoiser(Denoiser):
    """A transformer over tokens with a noise level each.

    Where it is not causal, every token sees every other (ordinary full-sequence diffusion, for comparison). Nothing can
    be remembered of a prefix then but the prefix itself: the state holds the tokens and levels seen, and each call goes
    through all of them again.

    Args:
        token_dim: numbers in a token.
        position_slots: slots of a token that hold positions (they also enter as sines and cosines).
        num_prefix_tokens: leading tokens with a kind of their own.
        width: hidden size, a multiple of ``2 * num_heads``.
        num_layers: blocks.
        num_heads: attention heads.
        causal: whether a token sees only itself and those before it.

    Raises:
        UserError: sizes that do not divide.
    """

    def __init__(
        self,
        *,
        token_dim: int,
        position_slots: Sequence[int],
        num_prefix_tokens: int,
        width: int = 128,
        num_layers: int = 4,
        num_heads: int = 4,
        causal: bool = True,
    ) -> None:
        super().__init__()
        if width % (2 * num_heads):
            raise UserError(f"width must be a multiple of 2 * num_heads; got width={width}, num_heads={num_heads}")
        self.token_dim = token_dim
        self.causal = causal
        self.embed_tokens = TokenEmbedding(
            token_dim=token_dim, width=width, position_slots=position_slots, num_prefix_tokens=num_prefix_tokens
        )
        self.embed_levels = LevelEmbedding(width)
        self.modulate = nn.Linear(width, 6 * width)
        self.blocks = nn.ModuleList(_Block(width, num_heads=num_heads, causal=causal) for _ in range(num_layers))
        self.modulate_out = nn.Linear(width, 2 * width)
        self.project_out = nn.Linear(width, token_dim)
        head_dim = width // num_heads
        self.register_buffer(
            "rotary_frequencies", 1000.0 ** (-torch.arange(0, head_dim, 2) / head_dim), persistent=False
        )
        # Zero gates and a zero output: the untrained network is the identity on its residual stream (DiT).
        for layer in (self.modulate, self.modulate_out, self.project_out):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    rotary_frequencies: Tensor

    def block_matrices(self) -> list[nn.Parameter]:
        """The weight matrices of the blocks: what Muon trains."""
        return [parameter for parameter in self.blocks.parameters() if parameter.ndim == 2]

    def forward(
        self, noisy: Tensor, levels: Tensor, state: DenoiserState | None = None
    ) -> tuple[Tensor, DenoiserState]:
        """See :meth:`Denoiser.forward`; the state holds keys and values, ``[batch, tokens, 2 * width]`` a layer."""
        if self.causal:
            return self._pass(noisy, levels, state)
        seen = (noisy, levels.expand(len(noisy), -1, -1))
        if state is not None:
            seen = tuple(torch.cat([before, new], dim=1) for before, new in zip(state.layers, seen, strict=True))
        prediction, _ = self._pass(seen[0], seen[1], None)
        return prediction[:, -noisy.shape[1] :], DenoiserState(seen)

    def _pass(self, noisy: Tensor, levels: Tensor, state: DenoiserState | None) -> tuple[Tensor, DenoiserState]:
        first = 0 if state is None else state.num_tokens
        tokens = noisy.shape[1]
        hidden = self.embed_tokens(noisy, first=first)
        level = F.silu(self.embed_levels(levels))
        modulation = self.modulate(level)
        angles = torch.arange(first, first + tokens, device=noisy.device)[:, None, None] * self.rotary_frequencies
        rotation = (angles.cos(), angles.sin())
        mask = None
        if first and tokens > 1:
            mask = torch.ones(tokens, first + tokens, dtype=torch.bool, device=noisy.device).tril(diagonal=first)
        caches = []
        for index, block in enumerate(self.blocks):
            cache = None if state is None else state.layers[index]
            hidden, cache = block(hidden, modulation, rotation, cache, mask)
            caches.append(cache)
        shift, scale = self.modulate_out(level).chunk(2, dim=-1)
        out = self.project_out(F.layer_norm(hidden, hidden.shape[-1:]) * (1 + scale) + shift)
        return out.float(), DenoiserState(tuple(caches))
