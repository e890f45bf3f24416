"""The network of Diffuser: a U-Net of one-dimensional convolutions over the steps of a trajectory.

Source: arXiv 2205.09991, appendix C, with the sizes of jannerm/diffuser, branch maze2d (``config/maze2d.py``).
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from dfplan.errors import UserError

WIDTH_FACTORS = (1, 4, 8)  # of the channels at each resolution
NUM_GROUPS = 8
KERNEL_SIZE = 5


class TemporalUnet(nn.Module):
    """Predicts a clean trajectory from a noisy one; every step sees steps before and after it.

    Each resolution has two residual blocks on the way down and two on the way up; between resolutions the number of
    steps halves. With the published sizes (``token_dim=6, width=32, num_layers=3``) it has 3,682,118 parameters.

    Args:
        token_dim: numbers of one step of a trajectory.
        width: channels at full resolution, a multiple of 8.
        num_layers: resolutions, at most three.

    Raises:
        UserError: sizes out of range.
    """

    def __init__(self, *, token_dim: int, width: int = 32, num_layers: int = 3) -> None:
        super().__init__()
        if width % NUM_GROUPS or width < NUM_GROUPS or not 1 <= num_layers <= len(WIDTH_FACTORS):
            raise UserError(
                f"the U-Net needs a width that is a multiple of {NUM_GROUPS} and 1 to {len(WIDTH_FACTORS)} layers; "
                f"got width {width} and {num_layers} layers"
            )
        channels = [width * factor for factor in WIDTH_FACTORS[:num_layers]]
        self.token_dim = token_dim
        self.step_multiple = 2 ** (num_layers - 1)
        self.level_embedding = _LevelEmbedding(width)
        self.down_blocks = nn.ModuleList(
            _BlockPair(before, after, width) for before, after in zip([token_dim, *channels], channels, strict=False)
        )
        self.downsample = nn.ModuleList(nn.Conv1d(each, each, 3, stride=2, padding=1) for each in channels[:-1])
        self.middle_blocks = _BlockPair(channels[-1], channels[-1], width)
        # What the way down found enters beside the input; at the finest resolution, as published, it does not.
        upwards = list(zip(channels[:0:-1], channels[-2::-1], strict=True))
        self.up_blocks = nn.ModuleList(_BlockPair(2 * before, after, width) for before, after in upwards)
        self.upsample = nn.ModuleList(nn.ConvTranspose1d(after, after, 4, stride=2, padding=1) for _, after in upwards)
        self.last_convolution = _Convolution(channels[0], channels[0])
        self.to_tokens = nn.Conv1d(channels[0], token_dim, 1)

    def forward(self, noisy: Tensor, levels: Tensor) -> Tensor:
        """Predict clean trajectories ``[batch, steps, token_dim]``.

        Args:
            noisy: ``[batch, steps, token_dim]``; the number of steps is a multiple of ``step_multiple``.
            levels: ``[batch]`` whole numbers from 0, the index of the noise level of each trajectory.

        Raises:
            ValueError: the number of steps cannot be halved often enough.
        """
        if noisy.shape[1] % self.step_multiple:
            raise ValueError(f"the steps must be a multiple of {self.step_multiple}; got {noisy.shape[1]}")
        level = self.level_embedding(levels)
        hidden, passed = noisy.transpose(1, 2), []
        for index, blocks in enumerate(self.down_blocks):
            hidden = blocks(hidden, level)
            passed.append(hidden)
            if index < len(self.downsample):
                hidden = self.downsample[index](hidden)
        hidden = self.middle_blocks(hidden, level)
        for blocks, upsample in zip(self.up_blocks, self.upsample, strict=True):
            hidden = upsample(blocks(torch.cat([hidden, passed.pop()], dim=1), level))
        return self.to_tokens(self.last_convolution(hidden)).transpose(1, 2)


class _LevelEmbedding(nn.Module):
    """Sines and cosines of a level's index, and two layers after them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.layers = nn.Sequential(nn.Linear(width, 4 * width), nn.Mish(), nn.Linear(4 * width, width))

    def forward(self, levels: Tensor) -> Tensor:
        half = self.width // 2
        rates = torch.exp(torch.arange(half, device=levels.device) * (-math.log(10_000) / (half - 1)))
        angles = levels[:, None].float() * rates
        return self.layers(torch.cat([angles.sin(), angles.cos()], dim=-1))


class _Convolution(nn.Module):
    """Convolution, normalisation over groups of channels, Mish."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(before, after, KERNEL_SIZE, padding=KERNEL_SIZE // 2)
        self.normalize = nn.GroupNorm(NUM_GROUPS, after)

    def forward(self, hidden: Tensor) -> Tensor:
        return functional.mish(self.normalize(self.convolution(hidden)))


class _ResidualBlock(nn.Module):
    """Two convolutions, the level added between them, and the input added to the output."""

    def __init__(self, before: int, after: int, level_dim: int) -> None:
        super().__init__()
        self.first, self.second = _Convolution(before, after), _Convolution(after, after)
        self.from_level = nn.Sequential(nn.Mish(), nn.Linear(level_dim, after))
        self.across = nn.Identity() if before == after else nn.Conv1d(before, after, 1)

    def forward(self, hidden: Tensor, level: Tensor) -> Tensor:
        return self.second(self.first(hidden) + self.from_level(level)[..., None]) + self.across(hidden)


class _BlockPair(nn.Module):
    """What a resolution consists of."""

    def __init__(self, before: int, after: int, level_dim: int) -> None:
        super().__init__()
        self.first, self.second = _ResidualBlock(before, after, level_dim), _ResidualBlock(after, after, level_dim)

    def forward(self, hidden: Tensor, level: Tensor) -> Tensor:
        return self.second(self.first(hidden, level), level)
