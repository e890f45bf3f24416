"""Losses between representations: cosine, NT-Xent and VICReg, functions of two batches of features."""

import torch
import torch.nn.functional as F  # noqa: N812 - the customary name
from torch import Tensor


def negative_cosine(one: Tensor, other: Tensor) -> Tensor:
    """Minus the mean cosine of rows that belong together (REPA, arXiv 2410.06940, eq. 8); from -1 to 1.

    Args:
        one: ``[samples, dim]``.
        other: ``[samples, dim]``.
    """
    return -F.cosine_similarity(one, other, dim=-1).mean()


def nt_xent(one: Tensor, other: Tensor, *, temperature: float) -> Tensor:
    """Normalised temperature-scaled cross entropy (SimCLR, arXiv 2002.05709, eq. 1).

    Every row picks the row it belongs to among all others of both batches, by the softmax of their cosines.

    Args:
        one: ``[samples, dim]``.
        other: ``[samples, dim]``.
        temperature: of the softmax.
    """
    samples = len(one)
    both = F.normalize(torch.cat([one, other]).float(), dim=-1)
    similarity = both @ both.T / temperature
    similarity = similarity.masked_fill(torch.eye(2 * samples, dtype=torch.bool, device=both.device), -torch.inf)
    partner = torch.arange(2 * samples, device=both.device).roll(samples)
    return F.cross_entropy(similarity, partner)


def vicreg(
    one: Tensor, other: Tensor, *, invariance: float = 25.0, variance: float = 25.0, covariance: float = 1.0
) -> Tensor:
    """Variance-invariance-covariance regularisation (arXiv 2105.04906, eqs. 1 to 6), its weights by default.

    Rows that belong together are drawn to each other; each dimension keeps a standard deviation of at least 1 and is
    made uncorrelated with the others, so that not all rows end in one point.

    Args:
        one: ``[samples, dim]``.
        other: ``[samples, dim]``.
        invariance: weight of the mean squared difference.
        variance: weight of the missing standard deviation.
        covariance: weight of the squared covariances.
    """
    spread = sum((F.relu(1 - (each.var(dim=0) + 1e-4).sqrt()).mean() for each in (one, other)), one.new_zeros(()))
    mixed = sum((_squared_covariances(each) for each in (one, other)), one.new_zeros(()))
    return invariance * F.mse_loss(one, other) + variance * spread + covariance * mixed


def _squared_covariances(features: Tensor) -> Tensor:
    """Sum of the squared covariances between different dimensions, per dimension."""
    matrix = torch.cov(features.T)
    return (matrix.square().sum() - matrix.diagonal().square().sum()) / features.shape[1]
