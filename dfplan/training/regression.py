"""What tasks have in common that train a network or a few with AdamW, and those that learn by squared error."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from dfplan.settings.training import Rates
from dfplan.training.task import Dataset

Batch = TypeVar("Batch")


class NetworkTask:
    """Networks, AdamW for all of them, and what is held out; see :class:`~dfplan.training.task.Task`.

    Args:
        modules: what learns, by name.
        rates: of AdamW.
        held_out: batches to validate on.
        metadata: what the exported bundle says of its making; plain JSON values.
    """

    betas = (0.9, 0.999)

    def __init__(
        self, modules: Mapping[str, nn.Module], *, rates: Rates, held_out: Dataset, metadata: Mapping[str, Any]
    ) -> None:
        self.modules, self.rates, self.held_out, self.metadata = dict(modules), rates, held_out, dict(metadata)

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """AdamW for everything."""
        parameters = [each for module in self.modules.values() for each in module.parameters()]
        rate, decay = self.rates.learning_rate, self.rates.weight_decay
        return [torch.optim.AdamW(parameters, lr=rate, weight_decay=decay, betas=self.betas)]


class RegressionTask(NetworkTask, ABC, Generic[Batch]):
    """One that learns by the squared error of its network; each says what its error is."""

    @abstractmethod
    def error(self, batch: Batch) -> Tensor:
        """Squared errors of a batch, one for each number that is learned."""

    def training_step(self, batch: Batch, *, generator: torch.Generator) -> tuple[Tensor, dict[str, float | Tensor]]:
        """Loss of one batch."""
        return self.error(batch).mean(), {}
