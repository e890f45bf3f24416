"""Representation alignment (REPA) of the planner: hidden states that resemble features of the clean frames."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from dfplan.data.windows import WindowBatch
from dfplan.errors import UserError
from dfplan.tokens import NUM_PREFIX_TOKENS
from dfplan.training.forcing import ForcingTask
from dfplan.training.representation_losses import negative_cosine, nt_xent

if TYPE_CHECKING:
    from dfplan.tasks.aligned_forcing import Settings

FeatureTarget = Callable[[Tensor], Tensor]
"""From observations ``[n, observation_dim]`` in environment units to features ``[n, feature_dim]``, no gradients."""


class AlignmentHead(nn.Sequential):
    """Three layers between hidden states and features (REPA, arXiv 2410.06940, appendix A); not exported."""

    def __init__(self, width: int, *, feature_dim: int) -> None:
        hidden = 2 * width
        layers = (nn.Linear(width, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU())
        super().__init__(*layers, nn.Linear(hidden, feature_dim))


class FrameFeatures:
    """A frozen encoder's features of the frame at each place, standardised.

    Frames of one scene differ in a few pixels, so that their raw features all point the same way (their cosines are
    0.998 and more): a head that always answers with the mean would pass for aligned.

    Args:
        encoder: from frames ``[n, 64, 64, 3]`` uint8 to features ``[n, dim]``; its weights get no gradients from here.
        render: from places ``(n, goal_dim)`` to frames, such as the ``render`` of a camera.
        seen: observations ``[n, observation_dim]`` on whose frames mean and spread of each feature are measured.
        goal_dim: leading dimensions of an observation that goals are about.

    Attributes:
        mean: of each feature, ``[dim]``.
        std: of each feature; one that hardly varies is not blown up.
    """

    _FLOOR = 1e-3  # of the largest standard deviation

    def __init__(
        self,
        encoder: nn.Module,
        render: Callable[[np.ndarray], np.ndarray],
        *,
        seen: Tensor,
        goal_dim: int,
    ) -> None:
        self.encoder = encoder.eval().requires_grad_(False)
        self.render = render
        self.goal_dim = goal_dim
        raw = self._raw(seen)
        self.mean, std, self.feature_dim = raw.mean(dim=0), raw.std(dim=0), raw.shape[1]
        self.std = std.clamp_min(max(self._FLOOR * float(std.max()), torch.finfo(std.dtype).tiny))

    def __call__(self, observations: Tensor) -> Tensor:
        """See :data:`FeatureTarget`."""
        raw = self._raw(observations)
        return (raw - self.mean.to(raw.device)) / self.std.to(raw.device)

    @torch.no_grad()
    def _raw(self, observations: Tensor) -> Tensor:
        frames = torch.from_numpy(self.render(observations[:, : self.goal_dim].cpu().numpy()))
        return self.encoder.to(observations.device)(frames.to(observations.device)).float()


class StateFeatures:
    """What no encoder of a frame can beat: the state itself, and sines and cosines of its place.

    Args:
        mean: of observations, ``(observation_dim,)``.
        std: of observations.
        goal_dim: leading dimensions of an observation that goals are about.
    """

    _FREQUENCIES = (1.0, 2.0, 4.0)  # in turns of half a circle per standard deviation

    def __init__(self, mean: Tensor, std: Tensor, *, goal_dim: int) -> None:
        self.mean, self.std, self.goal_dim = mean, std, goal_dim
        self.feature_dim = len(mean) + 2 * len(self._FREQUENCIES) * goal_dim

    def __call__(self, observations: Tensor) -> Tensor:
        """See :data:`FeatureTarget`."""
        normal = (observations - self.mean.to(observations.device)) / self.std.to(observations.device)
        angles = torch.cat([normal[:, : self.goal_dim] * torch.pi * each for each in self._FREQUENCIES], dim=1)
        return torch.cat([normal, angles.sin(), angles.cos()], dim=1)


class AlignedForcingTask:
    """A forcing task with an alignment beside its loss; what it exports is what the task alone exports: a planner.

    The noise of a step is that of the task without alignment: the tokens to align are drawn after it.

    Args:
        task: the forcing task.
        settings: of which block and of how many tokens the outputs are aligned, by which loss, and how much it counts.
        target: the features.
        feature_dim: numbers in a feature.

    Raises:
        UserError: the denoiser has no such block.
    """

    def __init__(self, task: ForcingTask, settings: "Settings", *, target: FeatureTarget, feature_dim: int) -> None:
        self.task, self.settings, self.target = task, settings, target
        blocks = getattr(task.modules["denoiser"], "blocks", None)
        if blocks is None or settings.depth > len(blocks):
            raise UserError(
                f"an alignment at depth {settings.depth} needs a transformer of so many blocks; "
                f"got {0 if blocks is None else len(blocks)}"
            )
        self.head = AlignmentHead(blocks[0].attention_in.in_features, feature_dim=feature_dim)
        self.modules: dict[str, nn.Module] = {**task.modules, "alignment_head": self.head}
        self._hidden: Tensor | None = None
        blocks[settings.depth - 1].register_forward_hook(self._keep_hidden)

    def _keep_hidden(self, block: nn.Module, inputs: Any, outputs: tuple[Tensor, Tensor]) -> None:
        self._hidden = outputs[0]

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Those of the forcing task; the head learns with the first, AdamW."""
        optimizers = self.task.configure_optimizers()
        optimizers[0].add_param_group({"params": list(self.head.parameters())})
        return optimizers

    def training_step(
        self, batch: WindowBatch, *, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float | Tensor]]:
        """Denoising loss plus weighted alignment, and the parts of both."""
        loss, metrics = self.task.training_step(batch, generator=generator)
        aligned = self._alignment_loss(batch, generator=generator)
        return loss + self.settings.weight * aligned, {**metrics, "alignment_loss": aligned.detach()}

    def validate(self, modules: Mapping[str, nn.Module], *, seed: int) -> dict[str, float]:
        """As the forcing task: the denoising loss alone."""
        return self.task.validate(modules, seed=seed)

    def export(self, folder: Path) -> None:
        """As the forcing task: without the head."""
        self.task.export(folder)

    def _alignment_loss(self, batch: WindowBatch, *, generator: torch.Generator) -> Tensor:
        """Alignment of some of the tokens with the clean frames at their last steps."""
        assert self._hidden is not None
        hidden = self._hidden[:, NUM_PREFIX_TOKENS:].flatten(0, 1)
        self._hidden = None
        points = self.task.layout.points_per_token
        last = torch.as_tensor(batch.observations)[:, points - 1 :: points]
        valid = torch.as_tensor(batch.valid).flatten().cpu()
        order = torch.randperm(len(valid), generator=generator)
        chosen = order[valid[order]][: self.settings.aligned_tokens].to(hidden.device)
        features, projected = self.target(last.flatten(0, 1)[chosen]), self.head(hidden[chosen]).float()
        if self.settings.loss == "cosine":
            return negative_cosine(projected, features)
        return nt_xent(projected, features, temperature=self.settings.temperature)
