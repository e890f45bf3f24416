"""The self-supervised task: frames that lie close in time get features that lie close, and no two places the same."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from dfplan.errors import UserError
from dfplan.models.frame_encoder import FrameEncoder, save_frame_encoder
from dfplan.training.batch import beside
from dfplan.training.regression import NetworkTask
from dfplan.training.representation_losses import nt_xent, vicreg
from dfplan.types import Trajectories

if TYPE_CHECKING:
    from dfplan.tasks.self_supervised import Settings

_TEMPERATURE = 0.1


class FramePairs:
    """Pairs of frames of one trajectory, at most so many steps apart (time-contrastive: arXiv 1704.06888).

    Args:
        trajectories: the data.
        render: from places ``(n, 2)`` to frames.
        largest_gap: steps between the two frames of a pair, at most; at least 1.

    Raises:
        UserError: no trajectory is longer than the gap.
    """

    def __init__(
        self, trajectories: Trajectories, render: Callable[[np.ndarray], np.ndarray], *, largest_gap: int
    ) -> None:
        self.places = trajectories.observations[:, :2]
        self.render = render
        self.largest_gap = largest_gap
        ends = np.repeat(trajectories.starts[1:] - 1, np.diff(trajectories.starts))
        self._first = np.flatnonzero(np.arange(len(trajectories)) + largest_gap <= ends)
        if not len(self._first):
            raise UserError(f"no trajectory of {trajectories.source} is longer than largest_gap={largest_gap} steps")

    def sample(self, batch_size: int, generator: np.random.Generator) -> dict[str, np.ndarray]:
        """Frames ``one`` and ``other``, ``(batch, 64, 64, 3)`` uint8."""
        first = self._first[generator.integers(len(self._first), size=batch_size)]
        second = first + generator.integers(1, self.largest_gap + 1, size=batch_size)
        return {"one": self.render(self.places[first]), "other": self.render(self.places[second])}


class SelfSupervisedTask(NetworkTask):
    """Trains a frame encoder through an expander that is thrown away (arXiv 2105.04906, section 4.2).

    Args:
        encoder: the network.
        settings: the loss, and the width of the expander's two layers.
        options: of :class:`~dfplan.training.regression.NetworkTask`.
    """

    def __init__(self, encoder: FrameEncoder, settings: "Settings", **options: Any) -> None:
        width = settings.expander_dim
        expander = nn.Sequential(nn.Linear(encoder.feature_dim, width), nn.GELU(), nn.Linear(width, width))
        super().__init__({"encoder": encoder, "expander": expander}, **options)
        self.encoder, self.settings = encoder, settings

    def training_step(
        self, batch: Mapping[str, Any], *, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float | Tensor]]:
        """Loss of a batch of pairs; nothing is random but the pairs."""
        one, other = (torch.as_tensor(batch[name]) for name in ("one", "other"))
        features = self.encoder(torch.cat([one, other]))
        expanded = self.modules["expander"](features).float().chunk(2)
        loss = vicreg(*expanded) if self.settings.loss == "vicreg" else nt_xent(*expanded, temperature=_TEMPERATURE)
        return loss, {"feature_std": features.detach().float().std(dim=0).mean()}

    def validate(self, modules: Mapping[str, nn.Module], *, seed: int) -> dict[str, float]:
        """The loss on held-out pairs."""
        with torch.no_grad():
            batch = self.held_out.sample(256, np.random.default_rng(seed))
            loss, metrics = self.training_step(beside(self.encoder, batch), generator=torch.Generator())
        return {"loss": float(loss), **{name: float(value) for name, value in metrics.items()}}

    def export(self, folder: Path) -> None:
        """Write the encoder without its expander."""
        save_frame_encoder(folder, self.encoder, self.metadata)
