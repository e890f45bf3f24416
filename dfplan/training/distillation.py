"""Distillation: a student learns to make in one network call what a teacher makes of the same noise in several."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from dfplan.data.windows import WindowBatch
from dfplan.diffusion import add_noise
from dfplan.tokens import GOAL_TOKEN, NUM_PREFIX_TOKENS
from dfplan.training.forcing import ForcingTask

Teacher = Callable[[Tensor, Tensor], Tensor]
"""From prefixes ``[batch, prefix, token_dim]`` and noise ``[batch, tokens, token_dim]`` to clean tokens."""


class DistillationTask(ForcingTask):
    """Trains a denoiser whose only noise levels are pure noise and clean.

    A deterministic sampler is a function of goal, context and noise. The student learns this function by regression
    (arXiv 2101.02388, section 3), all tokens of a window at once or, in half of the windows, those that come after some
    of the teacher's: so it can be asked for whole plans or for one token after the other. Of the data it is shown
    contexts and goals; half of the goals come from another window, for a planner is asked for those, too.

    Args:
        teacher: the sampler to learn.
        options: of :class:`~dfplan.training.forcing.ForcingTask`; the denoiser starts from the teacher's weights.
    """

    def __init__(self, *, teacher: Teacher, **options: Any) -> None:
        super().__init__(**options)
        self.teacher = teacher

    def _loss(
        self, batch: WindowBatch, denoise: Callable[..., Any], *, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float | Tensor]]:
        tokens, _ = self._tokens(batch)
        prefix, shape = tokens[:, :NUM_PREFIX_TOKENS].clone(), tokens[:, NUM_PREFIX_TOKENS:].shape
        half = len(prefix) // 2
        prefix[:half, GOAL_TOKEN] = prefix[:half, GOAL_TOKEN].roll(1, dims=0)
        noise = torch.randn(shape, generator=generator).to(tokens.device)
        num_known = torch.randint(shape[1], (len(prefix), 1), generator=generator)
        num_known *= torch.rand(num_known.shape, generator=generator) < 0.5
        with torch.no_grad():
            clean = self.teacher(prefix, noise)
        level = (torch.arange(shape[1]) >= num_known).float().to(tokens.device)
        levels = torch.cat([torch.zeros_like(level[:, :NUM_PREFIX_TOKENS]), level], dim=1)
        noisy = add_noise(clean, noise, level=level[..., None], schedule=self.parameterization.schedule)
        prediction, _ = denoise(torch.cat([prefix, noisy], dim=1), torch.stack([levels, levels], dim=-1))
        target = self.parameterization.target(clean, noise, level=level[..., None])
        error = (prediction[:, NUM_PREFIX_TOKENS:] - target).square()
        loss = (level[..., None] * self.slot_weight.to(tokens.device) * error).mean()
        return loss, self._metrics(error.detach(), level)
