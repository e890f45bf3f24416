"""The training task of Diffuser, for dfplan's loop."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dfplan.baselines.diffuser.diffusion import clamped, cosine_signal, noised
from dfplan.baselines.diffuser.temporal_unet import TemporalUnet
from dfplan.baselines.diffuser.windows import LimitsNormalizer, TrajectoryBatch
from dfplan.models.bundle import save_bundle


class DiffuserTask:
    """Predict the clean trajectory at one level for all its steps; see :class:`~dfplan.training.task.Task`.

    Both ends are clamped to the clean ones before the network and after it, so that they cost nothing. The loss is the
    mean squared error over all slots (jannerm/diffuser: ``predict_epsilon=False``, ``loss_type='l2'``, action weight
    and discount 1).

    Args:
        unet: the network.
        normalizer: of the data.
        num_levels: noise levels.
        learning_rate: of Adam.
        metadata: what the exported bundle says of its making; plain JSON values.
        compiled: train through ``torch.compile``; needs a C++ compiler.
    """

    def __init__(
        self,
        *,
        unet: TemporalUnet,
        normalizer: LimitsNormalizer,
        num_levels: int,
        learning_rate: float,
        metadata: Mapping[str, Any],
        compiled: bool = False,
    ) -> None:
        self.modules: dict[str, nn.Module] = {"unet": unet}
        self.predict_clean = torch.compile(unet) if compiled else unet
        self.normalizer = normalizer
        self.signal = cosine_signal(num_levels)
        self.learning_rate = learning_rate
        self.metadata = dict(metadata)

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Adam for everything."""
        return [torch.optim.Adam(self.modules["unet"].parameters(), lr=self.learning_rate)]

    def training_step(
        self, batch: TrajectoryBatch, *, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float | Tensor]]:
        """Loss of one batch, and that of actions and observations apart."""
        actions, observations = torch.as_tensor(batch.actions), torch.as_tensor(batch.observations)
        clean = self.normalizer.to(actions.device).tokens(torch.cat([actions, observations], dim=-1))
        levels = torch.randint(len(self.signal), (len(clean),), generator=generator).to(clean.device)
        noise = torch.randn(clean.shape, generator=generator).to(clean.device)
        first, last = (clean[:, end, actions.shape[-1] :] for end in (0, -1))
        noisy = clamped(noised(clean, noise, levels, signal=self.signal), first, last)
        predicted = clamped(self.predict_clean(noisy, levels), first, last)
        error = (predicted - clean).square()
        found = error.detach()
        return error.mean(), {
            "action_loss": found[..., : actions.shape[-1]].mean(),
            "observation_loss": found[..., actions.shape[-1] :].mean(),
        }

    def validate(self, modules: Mapping[str, nn.Module], *, seed: int) -> dict[str, float]:
        """Nothing: Diffuser holds no data out."""
        return {}

    def export(self, folder: Path) -> None:
        """Write the bundle that :func:`~dfplan.baselines.diffuser.model.load_diffuser` reads."""
        tensors = {f"unet.{name}": value for name, value in self.modules["unet"].state_dict().items()}
        tensors |= {f"normalizer.{name}": value for name, value in self.normalizer.state_dict().items()}
        save_bundle(folder, tensors, self.metadata)
