"""The diffusion of Diffuser: cosine betas, clamped ends, ancestral and implicit sampling. Pure functions of tensors."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

MAX_BETA = 0.999
OFFSET = 0.008


def cosine_signal(num_levels: int) -> Tensor:
    """Share of the signal's variance that is left at each level, ``[num_levels]`` float64, falling.

    The betas are those of arXiv 2102.09672, equation 17, with offset 0.008 and none above 0.999.
    """
    share = torch.arange(num_levels + 1, dtype=torch.float64) / num_levels
    signal = torch.cos((share + OFFSET) / (1 + OFFSET) * math.pi / 2).square()
    betas = (1 - signal[1:] / signal[:-1]).clamp(max=MAX_BETA)
    return (1 - betas).cumprod(dim=0)


def noised(clean: Tensor, noise: Tensor, levels: Tensor, *, signal: Tensor) -> Tensor:
    """Bring trajectories ``[batch, steps, dim]`` to levels ``[batch]``, indices into ``signal``."""
    left = signal.to(clean.device)[levels][:, None, None]
    return (left.sqrt() * clean + (1 - left).sqrt() * noise).to(clean.dtype)


def clamped(trajectories: Tensor, first: Tensor, last: Tensor) -> Tensor:
    """Trajectories whose first and last observations are the given ones, ``[batch, observation_dim]``.

    Observations are the last slots of a token.
    """
    trajectories = trajectories.clone()
    trajectories[:, 0, -first.shape[-1] :] = first
    trajectories[:, -1, -last.shape[-1] :] = last
    return trajectories


def sample_trajectories(
    predict_clean: Callable[[Tensor, Tensor], Tensor],
    *,
    signal: Tensor,
    draw_noise: Callable[[], Tensor],
    clamp: Callable[[Tensor], Tensor],
) -> Tensor:
    """Denoise trajectories from pure noise, all levels one after the other (arXiv 2006.11239, algorithm 2).

    Args:
        predict_clean: maps noisy trajectories ``[batch, steps, dim]`` and level indices ``[batch]`` to clean ones; what
            it predicts is clipped to [-1, 1].
        signal: see :func:`cosine_signal`.
        draw_noise: returns new standard Gaussian noise ``[batch, steps, dim]``; called ``len(signal)`` times.
        clamp: sets what is known of a trajectory; applied to the noise, and after every step.

    Returns:
        ``[batch, steps, dim]``.
    """
    trajectories = clamp(draw_noise())
    for level in range(len(signal) - 1, -1, -1):
        levels = torch.full((len(trajectories),), level, device=trajectories.device)
        clean = predict_clean(trajectories, levels).clamp(-1, 1)
        left, left_after = float(signal[level]), float(signal[level - 1]) if level else 1.0
        beta = 1 - left / left_after
        mean = clean * (beta * math.sqrt(left_after) / (1 - left))
        mean = mean + trajectories * ((1 - left_after) * math.sqrt(1 - beta) / (1 - left))
        if level:
            mean = mean + math.sqrt(beta * (1 - left_after) / (1 - left)) * draw_noise()
        trajectories = clamp(mean)
    return trajectories


def sample_in_few_steps(
    predict_clean: Callable[[Tensor, Tensor], Tensor],
    *,
    signal: Tensor,
    num_steps: int,
    draw_noise: Callable[[], Tensor],
    clamp: Callable[[Tensor], Tensor],
) -> Tensor:
    """Denoise trajectories from pure noise over some of the levels, without new noise (DDIM, arXiv 2010.02502).

    Args:
        predict_clean: see :func:`sample_trajectories`, as all others.
        signal: likewise.
        num_steps: levels visited, evenly spread, the noisiest first; at most ``len(signal)``.
        draw_noise: likewise; called once.
        clamp: likewise.

    Returns:
        ``[batch, steps, dim]``.
    """
    trajectories = clamp(draw_noise())
    visited = [round(len(signal) * (1 - done / num_steps)) - 1 for done in range(num_steps)]
    for level, level_after in zip(visited, [*visited[1:], None], strict=True):
        levels = torch.full((len(trajectories),), level, device=trajectories.device)
        clean = predict_clean(trajectories, levels).clamp(-1, 1)
        left, left_after = float(signal[level]), 1.0 if level_after is None else float(signal[level_after])
        noise = (trajectories - math.sqrt(left) * clean) / math.sqrt(1 - left)
        trajectories = clamp(math.sqrt(left_after) * clean + math.sqrt(1 - left_after) * noise)
    return trajectories
