"""Which noise levels training sees, and how much each one counts."""

import torch
from torch import Tensor

from dfplan.diffusion.parameterization import Parameterization
from dfplan.errors import UserError

_LEVELS = ("independent", "shared", "next")
_WEIGHTS = ("uniform", "min_snr")


def sample_levels(shape: tuple[int, int], *, kind: str = "independent", generator: torch.Generator) -> Tensor:
    """Draw training levels from [0, 1].

    Args:
        shape: ``(batch, tokens)``.
        kind: ``independent`` draws one level per token (Diffusion Forcing, arXiv 2407.01392, algorithm 1); ``shared``
            one per sequence (ordinary full-sequence diffusion), both uniform; ``next`` has clean tokens before a place
            that is drawn, and pure noise from there on: plain prediction from the true past (teacher forcing).
        generator: source of randomness.

    Returns:
        ``[batch, tokens]`` float32.
    """
    if kind not in _LEVELS:
        raise UserError(f"unknown training levels {kind!r}; choose one of {', '.join(_LEVELS)}")
    batch, tokens = shape
    if kind == "shared":
        return torch.rand((batch, 1), generator=generator).expand(batch, tokens)
    if kind == "next":
        first = torch.randint(tokens, (batch, 1), generator=generator)
        return (torch.arange(tokens) >= first).float()
    return torch.rand(shape, generator=generator)


def loss_weights(levels: Tensor, *, kind: str, parameterization: Parameterization, snr_clip: float = 5.0) -> Tensor:
    """Weight of each token's squared prediction error.

    ``uniform`` counts every level alike in the space of the prediction. ``min_snr`` (arXiv 2303.09556, eq. 9) counts
    the error of the clean value by the clipped signal-to-noise ratio, carried over to the prediction by the square of
    :meth:`~dfplan.diffusion.parameterization.Parameterization.clean_error_per_prediction_error`.

    Args:
        levels: ``[batch, tokens]``.
        kind: ``uniform`` or ``min_snr``.
        parameterization: what the network predicts.
        snr_clip: largest ratio that still counts more.

    Returns:
        ``[batch, tokens]``.
    """
    if kind == "uniform":
        return torch.ones_like(levels)
    if kind == "min_snr":
        gain = parameterization.clean_error_per_prediction_error(levels).square()
        return parameterization.schedule.snr(levels).clamp(max=snr_clip) * gain
    raise UserError(f"unknown loss weight {kind!r}; choose one of {', '.join(_WEIGHTS)}")
