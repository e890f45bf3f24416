"""One reverse step, per token from level to level. Knows nothing of networks."""

import torch
from torch import Tensor

from dfplan.diffusion.schedule import Schedule


def reverse_step(
    noisy: Tensor,
    clean: Tensor,
    *,
    level: Tensor,
    next_level: Tensor,
    schedule: Schedule,
    eta: float = 0.0,
    noise: Tensor | None = None,
) -> Tensor:
    """Move every value from its level to its next level, given the predicted clean values.

    DDIM (arXiv 2010.02502, eq. 12) written for any alpha and sigma, so that it serves variance-preserving schedules and
    the straight path alike; ``eta = 1`` is the DDPM posterior. Where ``level == next_level`` the value is returned
    untouched, bit for bit.

    Args:
        noisy: ``[..., dim]`` values at ``level``.
        clean: ``[..., dim]`` predicted clean values.
        level: broadcastable to ``noisy``.
        next_level: broadcastable to ``noisy``, nowhere above ``level``.
        schedule: the noise schedule.
        eta: 0 is deterministic, 1 is ancestral sampling.
        noise: ``[..., dim]`` standard Gaussian, needed when ``eta > 0``.

    Raises:
        ValueError: ``eta > 0`` without noise.
    """
    alpha, sigma = schedule(level)
    next_alpha, next_sigma = schedule(next_level)
    # A clean token has no noise direction; its step is the identity below, so any finite divisor serves.
    predicted_noise = (noisy - alpha * clean) / torch.where(sigma > 0, sigma, torch.ones_like(sigma))
    if eta == 0.0:
        moved = next_alpha * clean + next_sigma * predicted_noise
    else:
        if noise is None:
            raise ValueError(f"eta={eta} draws fresh noise; pass noise of shape {list(noisy.shape)}")
        fresh = eta * _posterior_sigma(alpha, sigma, next_alpha, next_sigma)
        kept = (next_sigma.square() - fresh.square()).clamp(min=0).sqrt()
        moved = next_alpha * clean + kept * predicted_noise + fresh * noise
    return torch.where(level == next_level, noisy, moved)


def _posterior_sigma(alpha: Tensor, sigma: Tensor, next_alpha: Tensor, next_sigma: Tensor) -> Tensor:
    """Standard deviation of q(next | noisy, clean) (arXiv 2107.00630, eq. 32)."""
    ratio = alpha / next_alpha.clamp(min=1e-12)
    variance_between = (sigma.square() - ratio.square() * next_sigma.square()).clamp(min=0)
    return (variance_between * next_sigma.square() / sigma.square().clamp(min=1e-12)).sqrt()
