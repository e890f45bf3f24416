"""Scheduling matrices: which level each token has at each row of denoising. Knows nothing of networks.

A matrix is an integer tensor ``[rows, tokens]``; entry ``num_levels`` is pure noise and 0 is clean. Row 0 is the start,
the last row is the finished plan.
"""

import math

import torch
from torch import Tensor

from dfplan.errors import UserError


def pyramid_matrix(num_tokens: int, *, num_levels: int, offset: float) -> Tensor:
    """Full sequence, pyramid and autoregressive denoising as one family.

    ``clip(num_levels + floor(offset * token) - row, 0, num_levels)``: offset 0 denoises all tokens together, offset
    ``num_levels`` finishes one token before it starts the next, and one between lets uncertainty grow with time: the
    pyramid (Diffusion Forcing, arXiv 2407.01392, section 3.4).

    Args:
        num_tokens: of a window.
        num_levels: of noise.
        offset: levels that a token lags behind the one before it.

    Returns:
        ``[num_levels + floor(offset * (num_tokens - 1)) + 1, num_tokens]`` int64.

    Raises:
        UserError: a size below 1, or an offset that is negative or not finite.
    """
    if num_tokens < 1 or num_levels < 1:
        raise UserError(f"a scheduling matrix needs at least 1 token and 1 level; got {num_tokens} and {num_levels}")
    if not (math.isfinite(offset) and offset >= 0):
        raise UserError(f"the offset of a scheduling matrix must be 0 (all tokens together) or more; got {offset}")
    offsets = torch.floor(offset * torch.arange(num_tokens, dtype=torch.float64)).long()
    rows = torch.arange(num_levels + int(offsets[-1]) + 1)
    return (num_levels + offsets[None, :] - rows[:, None]).clamp(0, num_levels)


def full_sequence_matrix(num_tokens: int, *, num_levels: int) -> Tensor:
    """All tokens together, as image diffusion does."""
    return pyramid_matrix(num_tokens, num_levels=num_levels, offset=0.0)


def autoregressive_matrix(num_tokens: int, *, num_levels: int) -> Tensor:
    """One token after the other."""
    return pyramid_matrix(num_tokens, num_levels=num_levels, offset=float(num_levels))


def validate_matrix(matrix: Tensor, *, num_levels: int) -> Tensor:
    """Return a custom matrix unchanged if it is one that a sampler can follow.

    Raises:
        UserError: it is no integer ``[rows, tokens]`` tensor, does not start in noise, does not end clean, or rises.
    """
    if not isinstance(matrix, Tensor):
        raise UserError(f"a scheduling matrix is an integer tensor [rows, tokens]; got {type(matrix).__name__}")
    if matrix.ndim != 2 or matrix.is_floating_point() or matrix.shape[0] < 2 or matrix.shape[1] < 1:
        raise UserError(
            "a scheduling matrix is an integer tensor [rows, tokens] with at least 2 rows; "
            f"got {matrix.dtype} of shape {list(matrix.shape)}"
        )
    if not (matrix[0] == num_levels).all():
        raise UserError(
            f"a scheduling matrix starts in noise: row 0 must be all {num_levels}; got {matrix[0].tolist()}"
        )
    if not (matrix[-1] == 0).all():
        raise UserError(f"a scheduling matrix ends clean: its last row must be all 0; got {matrix[-1].tolist()}")
    rises = (matrix[1:] > matrix[:-1]).nonzero()
    if len(rises):
        row, token = rises[0].tolist()
        raise UserError(
            f"a scheduling matrix never rises; token {token} goes from level {int(matrix[row, token])} in row {row} "
            f"to {int(matrix[row + 1, token])} in row {row + 1}"
        )
    return matrix
