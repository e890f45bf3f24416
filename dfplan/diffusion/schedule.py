"""Noise schedules: how much signal (alpha) and noise (sigma) a token has at a level. Knows nothing of networks.

A level is a real number in [0, 1]; 0 is clean and 1 is as noisy as the schedule gets. A noisy token is
``alpha(level) * clean + sigma(level) * noise`` with standard Gaussian noise.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from dfplan.errors import UserError


def _linear(level: Tensor) -> tuple[Tensor, Tensor]:
    """Straight path between data and noise (rectified flow, arXiv 2209.03003, eq. 1)."""
    return 1 - level, level


def _cosine(level: Tensor) -> tuple[Tensor, Tensor]:
    """Variance-preserving quarter circle (arXiv 2202.00512, section 4)."""
    angle = level * (math.pi / 2)
    # cos(pi/2) is 6e-17 rather than 0 in floating point; the clean weight at level 1 is exactly zero by definition.
    return torch.where(level == 1, torch.zeros_like(level), torch.cos(angle)), torch.sin(angle)


def _ddpm(level: Tensor) -> tuple[Tensor, Tensor]:
    """Linear betas 1e-4 … 0.02 over 1,000 steps (arXiv 2006.11239, section 4), level ``(t + 1) / 1000``.

    Between the 1,000 published values log alpha-bar is interpolated linearly; level 0 is exactly clean.
    """
    log_value = _ddpm_log_alpha_bar(level)
    return (0.5 * log_value).exp().to(level.dtype), (-torch.expm1(log_value)).sqrt().to(level.dtype)


def _ddpm_rescaled(level: Tensor) -> tuple[Tensor, Tensor]:
    """``ddpm`` with its alpha shifted and stretched so that level 1 is pure noise (arXiv 2305.08891, algorithm 1).

    Level 0, not the first of the 1,000 published values, keeps its place: it is exactly clean.
    """
    lost, lost_at_end = (-torch.expm1(0.5 * _ddpm_log_alpha_bar(each)) for each in (level, torch.ones_like(level)))
    share = lost / lost_at_end  # 1 - alpha
    return (1 - share).to(level.dtype), (share * (2 - share)).sqrt().to(level.dtype)


def _ddpm_log_alpha_bar(level: Tensor) -> Tensor:
    """Logarithm of alpha squared, float64."""
    betas = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
    log_alpha_bar = torch.cat([torch.zeros(1, dtype=torch.float64), torch.log1p(-betas).cumsum(0)]).to(level.device)
    place = level.double() * 1000
    below = place.floor().clamp(max=999).long()
    return torch.lerp(log_alpha_bar[below], log_alpha_bar[below + 1], place - below)


_SCHEDULES: dict[str, Callable[[Tensor], tuple[Tensor, Tensor]]] = {
    "linear": _linear,
    "cosine": _cosine,
    "ddpm": _ddpm,
    "ddpm_rescaled": _ddpm_rescaled,
}


@dataclass(frozen=True)
class Schedule:
    """A noise schedule by name.

    Args:
        name: ``linear`` (flow matching), ``cosine`` (variance preserving, no signal left at level 1), ``ddpm``
            (the 1,000 linear betas; a little signal is left at level 1) or ``ddpm_rescaled`` (no signal left).

    Raises:
        UserError: the name is unknown.
    """

    name: str = "linear"

    def __post_init__(self) -> None:
        if self.name not in _SCHEDULES:
            raise UserError(f"unknown noise schedule {self.name!r}; choose one of {', '.join(_SCHEDULES)}")

    def __call__(self, level: Tensor) -> tuple[Tensor, Tensor]:
        """Return alpha and sigma, both of the shape of ``level``."""
        return _SCHEDULES[self.name](level)

    @property
    def variance_preserving(self) -> bool:
        """Whether alpha² + sigma² is 1 at every level."""
        return self.name != "linear"

    @property
    def ends_in_pure_noise(self) -> bool:
        """Whether no signal is left at level 1."""
        return self.name != "ddpm"

    def snr(self, level: Tensor, *, largest: float = 1e8) -> Tensor:
        """Signal-to-noise ratio alpha² / sigma², capped at ``largest`` where the token is clean."""
        alpha, sigma = self(level)
        return (alpha.square() / sigma.square().clamp(min=1e-12)).clamp(max=largest)


def add_noise(clean: Tensor, noise: Tensor, *, level: Tensor, schedule: Schedule) -> Tensor:
    """Bring clean values to a level.

    Args:
        clean: ``[..., dim]``.
        noise: ``[..., dim]``, standard Gaussian.
        level: broadcastable to ``clean``; a level per token is ``[..., 1]``.
        schedule: the noise schedule.
    """
    alpha, sigma = schedule(level)
    return alpha * clean + sigma * noise
