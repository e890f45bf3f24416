"""The contract that every denoiser keeps, and the input features they share.

``forward(noisy, levels, state) -> (prediction, state)``: where a denoiser is causal, token ``j`` never changes what is
predicted for tokens before ``j``. A state stands for the tokens seen so far, so a clean prefix is computed once;
feeding the rest with that state gives what one full pass would give.
"""

import abc
import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dfplan.errors import CodeOfOthers, UserError


@dataclass(frozen=True)
class DenoiserState:
    """What a denoiser remembers of the tokens it has seen.

    Attributes:
        layers: per layer a tensor ``[batch, tokens, …]`` (keys and values, or hidden states after each token).
    """

    layers: tuple[Tensor, ...]

    @property
    def num_tokens(self) -> int:
        """Tokens seen so far."""
        return self.layers[0].shape[1]

    def truncate(self, num_tokens: int) -> "DenoiserState":
        """Forget all but the first ``num_tokens`` tokens."""
        return DenoiserState(tuple(layer[:, :num_tokens] for layer in self.layers))

    def select(self, indices: Tensor) -> "DenoiserState":
        """The state of the given batch entries; repeat an index to branch from it."""
        return DenoiserState(tuple(layer[indices] for layer in self.layers))


class Denoiser(nn.Module, abc.ABC):
    """A network over tokens with a noise level per token and slot group.

    Attributes:
        token_dim: numbers in a token.
        causal: whether later tokens never matter. If they do, a sampler must show all tokens at every call.
        passes: how often a sequence goes through a network in one call.
    """

    token_dim: int
    causal: bool = True
    passes: int = 1

    def __init_subclass__(cls, **options: Any) -> None:
        """What one that is not dfplan's raises is told with the line of its file; what it answers is looked at."""
        super().__init_subclass__(**options)
        if "forward" in vars(cls) and not cls.__module__.startswith("dfplan."):
            cls.forward = _tried(cls.forward)

    @abc.abstractmethod
    def forward(
        self, noisy: Tensor, levels: Tensor, state: DenoiserState | None = None
    ) -> tuple[Tensor, DenoiserState]:
        """Predict for every token.

        Args:
            noisy: ``[batch, tokens, token_dim]``.
            levels: ``[batch, tokens, 2]``: level of the action slots, level of reward and observation slots. A batch of
                one holds for all sequences, and is embedded once.
            state: what was seen before these tokens, from an earlier call.

        Returns:
            The prediction ``[batch, tokens, token_dim]`` and the state after the last token.
        """

    @property
    def num_parameters(self) -> int:
        """Trainable parameters."""
        return sum(parameter.numel() for parameter in self.parameters())


def _tried(forward: Callable[..., tuple[Tensor, DenoiserState]]) -> Callable[..., tuple[Tensor, DenoiserState]]:
    @functools.wraps(forward)
    def tried(
        self: Denoiser, noisy: Tensor, levels: Tensor, state: DenoiserState | None = None
    ) -> tuple[Tensor, DenoiserState]:
        name = f"the denoiser {type(self).__name__}"
        with CodeOfOthers(name):
            answer = forward(self, noisy, levels, state)
        if not isinstance(answer, tuple) or len(answer) != 2 or getattr(answer[0], "shape", None) != noisy.shape:
            raise UserError(f"{name} must answer with a prediction {list(noisy.shape)} and a DenoiserState; mend it")
        return answer

    return tried


class LevelEmbedding(nn.Module):
    """Embeds the two noise levels of a token: sines and cosines, then a two-layer network.

    Args:
        width: size of the embedding.
        num_frequencies: sine/cosine pairs per level, wavelengths from 2 down to 2/1000 in geometric steps.
    """

    def __init__(self, width: int, *, num_frequencies: int = 16) -> None:
        super().__init__()
        frequencies = math.pi * torch.logspace(0, 3, num_frequencies)
        self.register_buffer("frequencies", frequencies, persistent=False)
        self.network = nn.Sequential(nn.Linear(4 * num_frequencies, width), nn.SiLU(), nn.Linear(width, width))

    frequencies: Tensor

    def forward(self, levels: Tensor) -> Tensor:
        """Embed levels ``[batch, tokens, 2]`` as ``[batch, tokens, width]``."""
        angles = (levels[..., None] * self.frequencies).flatten(-2)
        return self.network(torch.cat([angles.sin(), angles.cos()], dim=-1))


class TokenEmbedding(nn.Module):
    """Embeds noisy tokens: their numbers, sines and cosines of the places among them, and which kind they are.

    What bounds a way is thin against the whole; without the sines a small network sees places too coarsely (measured
    in docs/log).

    Args:
        token_dim: numbers in a token.
        width: size of the embedding.
        goal_slots: slots of a token that hold normalised places.
        num_prefix_tokens: leading tokens of a sequence that each get a kind of their own (goal, context).
        num_frequencies: sine/cosine pairs per place, wavelengths 8, 4, 2, … in normalised units.
    """

    def __init__(
        self,
        *,
        token_dim: int,
        width: int,
        goal_slots: Sequence[int],
        num_prefix_tokens: int,
        num_frequencies: int = 6,
    ) -> None:
        super().__init__()
        self.num_prefix_tokens = num_prefix_tokens
        self.register_buffer("goal_slots", torch.tensor(goal_slots, dtype=torch.int64), persistent=False)
        frequencies = (math.pi / 4) * 2.0 ** torch.arange(num_frequencies)
        self.register_buffer("frequencies", frequencies, persistent=False)
        self.project = nn.Linear(token_dim + 2 * num_frequencies * len(goal_slots), width)
        self.kind = nn.Embedding(num_prefix_tokens + 1, width)

    goal_slots: Tensor
    frequencies: Tensor

    def forward(self, noisy: Tensor, *, first: int) -> Tensor:
        """Embed tokens ``[batch, tokens, token_dim]``, the first of which is number ``first`` of its sequence."""
        return self.numbers(noisy) + self.kinds(first, noisy.shape[1])

    def numbers(self, noisy: Tensor) -> Tensor:
        """What the numbers of tokens ``[batch, tokens, token_dim]`` say, ``[batch, tokens, width]``."""
        if not len(self.goal_slots):
            return self.project(noisy)
        angles = (noisy[..., self.goal_slots, None] * self.frequencies).flatten(-2)
        return self.project(torch.cat([noisy, angles.sin(), angles.cos()], dim=-1))

    def kinds(self, first: int, count: int) -> Tensor:
        """What the places of ``count`` tokens after ``first`` others say, ``[count, width]``."""
        numbers = torch.arange(first, first + count, device=self.frequencies.device)
        return self.kind(numbers.clamp(max=self.num_prefix_tokens))
