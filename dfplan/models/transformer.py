"""The transformer denoiser: rotary embeddings, level-modulated blocks, causal by default with a key/value cache."""

import copy
import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

import torch
import torch.nn.functional as F  # noqa: N812 - the customary name
from torch import Tensor, nn

from dfplan.errors import UserError
from dfplan.models.denoiser import Denoiser, DenoiserState, LevelEmbedding, TokenEmbedding

MOST_REMEMBERED = 64  # plans of one length ask for some twenty
Value = TypeVar("Value")


class LevelMemory(Generic[Value]):
    """Remembers results by what was asked, for as long as the weights that they depend on stay as they are.

    Args:
        parameters: these weights; a change in place is noticed.
    """

    def __init__(self, parameters: Iterable[nn.Parameter] = ()) -> None:
        self._parameters = tuple(parameters)
        self._found: tuple[int, dict[Hashable, Value]] = (0, {})

    def __len__(self) -> int:
        return len(self._found[1])

    def __deepcopy__(self, memo: dict[int, object]) -> "LevelMemory[Value]":
        return LevelMemory(copy.deepcopy(self._parameters, memo))  # those of the copy; nothing is remembered yet

    def find(self, key: Hashable, compute: Callable[[], Value]) -> Value:
        """What was computed for ``key``, or is now."""
        versions, found = self._found
        if versions != (current := sum(each._version for each in self._parameters)) or len(found) >= MOST_REMEMBERED:
            self._found = current, found = current, {}
        if key not in found:
            found[key] = compute()
        return found[key]


def counts_operations() -> bool:
    """Whether results must be made by operations: to differentiate, compile or export them, or in another precision."""
    return torch.is_grad_enabled() or torch.compiler.is_compiling() or torch.is_autocast_enabled("cpu")


GELU_SCALE = 2 * math.sqrt(2 / math.pi)
ROWS_IN_CACHE = 384  # tokens that pass a feed-forward together: what lies between its matrices then stays near a CPU


def _rotate_(values: Tensor, cosine: Tensor, sine: Tensor, *, head_dim: int) -> None:
    """Rotate ``[batch, tokens, heads * head_dim]`` by where tokens stand, in place (RoFormer: arXiv 2104.09864, 3.4.2).

    A value of the first half of a head and its partner of the second are the two coordinates that turn; ``sine`` is
    negative in the first half.
    """
    first, second = values.unflatten(-1, (-1, 2, head_dim // 2)).unbind(-2)
    partners = torch.stack([second, first], dim=-2).flatten(-3)
    values.mul_(cosine).addcmul_(partners, sine)


def _scaled_gelu(scaled: Tensor) -> Tensor:
    """``GELU_SCALE * gelu(scaled / GELU_SCALE)``, approximated by tanh (arXiv 1606.08415, section 2).

    With ``tanh(z) = 2 * sigmoid(2 * z) - 1`` that is ``scaled * sigmoid(scaled + c * scaled^3)``. Without gradients it
    is computed in place; on a CPU that takes about half the time of torch's own.
    """
    inner, cubic = scaled.square(), 0.044715 / GELU_SCALE**2
    if torch.is_grad_enabled():
        return scaled * torch.addcmul(scaled, scaled, inner, value=cubic).sigmoid()
    return torch.addcmul(scaled, scaled, inner, value=cubic, out=inner).sigmoid_().mul_(scaled)


@dataclass(frozen=True)
class _Condition:
    """What levels and places of tokens do to a pass.

    Attributes:
        modulations: of each block, as :meth:`_Block.forward` has them.
        out: shift and scale at the end, ``[batch or 1, tokens, width]``.
        rotation: cosines and sines, ``[tokens, 2 * width]``.
        mask: ``[tokens, all tokens]``, added to what tokens see of each other; None where nothing is.
        kinds: ``[tokens, width]``, added to tokens.
    """

    modulations: Sequence[Sequence[Tensor]]
    out: tuple[Tensor, Tensor]
    rotation: tuple[Tensor, Tensor]
    mask: Tensor | None
    kinds: Tensor


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
        modulation: Sequence[Tensor],
        rotation: tuple[Tensor, Tensor],
        cache: Tensor | None,
        mask: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """Return the new hidden values and the keys and values ``[batch, all tokens, 2 * width]`` seen so far.

        ``modulation`` is that of this block, each ``[batch or 1, tokens, width]``: shift, scale, gate; the same again,
        but scaled as :func:`_scaled_gelu` has it.
        """
        shift, scale, gate, feed_shift, feed_scale, feed_gate = modulation
        normal = F.layer_norm(hidden, hidden.shape[-1:])
        attended, cache = self._attend(torch.addcmul(shift, normal, scale), rotation, cache, mask)
        hidden = torch.addcmul(hidden, gate, self.attention_out(attended))
        normal = F.layer_norm(hidden, hidden.shape[-1:])
        fed = self._feed(torch.addcmul(feed_shift, normal, feed_scale))
        return torch.addcmul(hidden, feed_gate, fed), cache

    def _feed(self, hidden: Tensor) -> Tensor:
        rows = hidden.flatten(0, 1)
        if len(rows) <= ROWS_IN_CACHE or torch.is_grad_enabled() or hidden.device.type != "cpu":
            return self.feed_out(_scaled_gelu(self.feed_in(hidden)))
        groups = rows.split(ROWS_IN_CACHE)
        return torch.cat([self.feed_out(_scaled_gelu(self.feed_in(group))) for group in groups]).view_as(hidden)

    def _attend(
        self, hidden: Tensor, rotation: tuple[Tensor, Tensor], cache: Tensor | None, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        batch, tokens, width = hidden.shape
        query_key_value: Tensor = self.attention_in(hidden)
        # Keys are stored rotated: a cached token stays where it stood.
        _rotate_(query_key_value[..., : 2 * width], *rotation, head_dim=width // self.num_heads)
        query, pair = query_key_value[..., :width], query_key_value[..., width:]
        known = pair if cache is None else torch.cat([cache, pair], dim=1)
        heads = known.unflatten(-1, (2, self.num_heads, -1)).transpose(1, 3)
        is_causal = self.causal and mask is None and tokens > 1
        attended = F.scaled_dot_product_attention(
            query.unflatten(-1, (self.num_heads, -1)).transpose(1, 2),
            heads[:, :, 0],
            heads[:, :, 1],
            attn_mask=mask if mask is None else mask.to(query.dtype),
            is_causal=is_causal,
        )
        return attended.transpose(1, 2).reshape(batch, tokens, width), known


class TransformerDenoiser(Denoiser):
    """A transformer over tokens with a noise level each.

    Where it is not causal, every token sees every other (ordinary full-sequence diffusion, for comparison). Nothing can
    be remembered of a prefix then but the prefix itself: the state holds the tokens and levels seen, and each call goes
    through all of them again.

    Args:
        token_dim: numbers in a token.
        goal_slots: slots of a token that hold what goals are compared with (they also enter as sines and cosines).
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
        goal_slots: Sequence[int],
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
            token_dim=token_dim, width=width, goal_slots=goal_slots, num_prefix_tokens=num_prefix_tokens
        )
        self.embed_levels = LevelEmbedding(width)
        self.modulate = nn.Linear(width, 6 * width)
        self.blocks = nn.ModuleList(_Block(width, num_heads=num_heads, causal=causal) for _ in range(num_layers))
        self.modulate_out = nn.Linear(width, 2 * width)
        self.project_out = nn.Linear(width, token_dim)
        head_dim = width // num_heads
        frequencies = 1000.0 ** (-torch.arange(0, head_dim, 2) / head_dim)
        turning = torch.cat([-frequencies, frequencies]).repeat(2 * num_heads)  # of queries and keys
        self.register_buffer("rotary_frequencies", turning, persistent=False)
        # What `_scaled_gelu` takes and gives scaled is scaled where it costs least: on the modulation.
        factors = torch.tensor([1.0, 1.0, 1.0, GELU_SCALE, GELU_SCALE, 1 / GELU_SCALE])[:, None]
        self.register_buffer("modulation_factors", factors, persistent=False)
        ones = torch.tensor([0.0, 1.0, 0.0] * 2)[:, None]
        self.register_buffer("modulation_shifts", ones * factors, persistent=False)
        self._memory = LevelMemory[_Condition](self._conditioning())
        # Zero gates and a zero output: the untrained network is the identity on its residual stream (DiT).
        for layer in (self.modulate, self.modulate_out, self.project_out):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    rotary_frequencies: Tensor
    modulation_factors: Tensor
    modulation_shifts: Tensor

    def train(self, mode: bool = True) -> "TransformerDenoiser":
        """See :class:`torch.nn.Module`; what is remembered of levels is forgotten."""
        self._memory = LevelMemory[_Condition](self._conditioning())
        return super().train(mode)

    def _conditioning(self) -> Iterator[nn.Parameter]:
        """The weights that say what levels and places do."""
        for module in (self.embed_levels, self.modulate, self.modulate_out, self.embed_tokens.kind):
            yield from module.parameters()
        yield from (cast(_Block, block).modulation_offset for block in self.blocks)

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
        condition = self._condition(levels, first=first, tokens=tokens)
        hidden = self.embed_tokens.numbers(noisy) + condition.kinds
        caches = []
        for index, block in enumerate(self.blocks):
            cache = None if state is None else state.layers[index]
            hidden, cache = block(hidden, condition.modulations[index], condition.rotation, cache, condition.mask)
            caches.append(cache)
        shift, scale = condition.out
        out = self.project_out(torch.addcmul(shift, F.layer_norm(hidden, hidden.shape[-1:]), scale))
        return out.float(), DenoiserState(tuple(caches))

    def _condition(self, levels: Tensor, *, first: int, tokens: int) -> _Condition:
        """That of ``tokens`` tokens after ``first`` others at levels ``[batch or 1, tokens, 2]``."""
        if self.training or counts_operations() or levels.device.type != "cpu" or len(levels) > 1:
            return self._computed(levels, first=first, tokens=tokens)
        key = (first, tokens, levels.numpy().tobytes())
        return self._memory.find(key, lambda: self._computed(levels, first=first, tokens=tokens))

    def _computed(self, levels: Tensor, *, first: int, tokens: int) -> _Condition:
        level = F.silu(self.embed_levels(levels))
        offsets = torch.stack([cast(_Block, block).modulation_offset for block in self.blocks])
        modulations = (self.modulate(level) + offsets[:, None, None]).unflatten(-1, (6, -1))
        modulations = torch.addcmul(self.modulation_shifts, modulations, self.modulation_factors)
        shift, scale = self.modulate_out(level).chunk(2, dim=-1)
        mask = None
        if first and tokens > 1:
            mask = torch.full((tokens, first + tokens), -math.inf, device=levels.device).triu(diagonal=first + 1)
        return _Condition(
            modulations=[each.unbind(-2) for each in modulations.unbind(0)],
            out=(shift, 1 + scale),
            rotation=self._rotation(first, tokens),
            mask=mask,
            kinds=self.embed_tokens.kinds(first, tokens),
        )

    def _rotation(self, first: int, tokens: int) -> tuple[Tensor, Tensor]:
        """Cosines and sines ``[tokens, 2 * width]`` for all heads of queries and keys."""
        numbers = torch.arange(first, first + tokens, device=self.rotary_frequencies.device)
        angles = numbers[:, None] * self.rotary_frequencies
        return angles.cos(), angles.sin()
