"""The self-supervised task: frames that lie close in time get features that lie close, and no two places the same."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dfplan.errors import UserError
from dfplan.models.frame_encoder import FrameEncoder, save_frame_encoder
from dfplan.training.batch import beside
from dfplan.training.representation_losses import nt_xent, vicreg
from dfplan.types import Trajectories

LOSSES = ("vicreg", "nt-xent")
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


class SelfSupervisedTask:
    """Trains a frame encoder through an expander that is thrown away; see :class:`~dfplan.training.task.Task`.

    Args:
        encoder: the network.
        expander_dim: width of the two layers between features and loss (arXiv 2105.04906, section 4.2).
        loss: ``vicreg`` or ``nt-xent``.
        learning_rate: of AdamW.
        weight_decay: of AdamW.
        validation: held-out pairs, or None.
        metadata: what the exported bundle says of its making; plain JSON values.

    Raises:
        UserError: unknown loss.
    """

    def __init__(
        self,
        *,
        encoder: FrameEncoder,
        expander_dim: int,
        loss: str,
        learning_rate: float,
        weight_decay: float,
        validation: FramePairs | None,
        metadata: Mapping[str, Any],
    ) -> None:
        if loss not in LOSSES:
            raise UserError(f"the loss must be one of {', '.join(LOSSES)}; got {loss!r}")
        expander = nn.Sequential(
            nn.Linear(encoder.feature_dim, expander_dim), nn.GELU(), nn.Linear(expander_dim, expander_dim)
        )
        self.encoder = encoder
        self.modules: dict[str, nn.Module] = {"encoder": encoder, "expander": expander}
        self.loss = loss
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.validation = validation
        self.metadata = dict(metadata)

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """AdamW for everything."""
        parameters = [each for module in self.modules.values() for each in module.parameters()]
        return [torch.optim.AdamW(parameters, lr=self.learning_rate, weight_decay=self.weight_decay)]

    def training_step(
        self, batch: Mapping[str, Any], *, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float | Tensor]]:
        """Loss of a batch of pairs; nothing is random but the pairs."""
        one, other = (torch.as_tensor(batch[name]) for name in ("one", "other"))
        features = self.encoder(torch.cat([one, other]))
        expanded = self.modules["expander"](features).float().chunk(2)
        loss = vicreg(*expanded) if self.loss == "vicreg" else nt_xent(*expanded, temperature=_TEMPERATURE)
        return loss, {"feature_std": features.detach().float().std(dim=0).mean()}

    def validate(self, modules: Mapping[str, nn.Module], *, seed: int) -> dict[str, float]:
        """The loss on held-out pairs."""
        if self.validation is None:
            return {}
        with torch.no_grad():
            batch = self.validation.sample(256, np.random.default_rng(seed))
            loss, metrics = self.training_step(beside(self.encoder, batch), generator=torch.Generator())
        return {"loss": float(loss), **{name: float(value) for name, value in metrics.items()}}

    def export(self, folder: Path) -> None:
        """Write the encoder without its expander."""
        save_frame_encoder(folder, self.encoder, self.metadata)
