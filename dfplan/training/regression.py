"""A task that learns one network by its squared error, with AdamW for everything."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

Batch = TypeVar("Batch")


class RegressionTask(ABC, Generic[Batch]):
    """What such tasks have in common; each says what its error is, how it is validated and exported.

    Args:
        name: of the network among the modules.
        network: what learns.
        learning_rate: of AdamW.
        weight_decay: of AdamW.
        metadata: what the exported bundle says of its making; plain JSON values.
    """

    def __init__(
        self, name: str, network: nn.Module, *, learning_rate: float, weight_decay: float, metadata: Mapping[str, Any]
    ) -> None:
        self.modules: dict[str, nn.Module] = {name: network}
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.metadata = dict(metadata)

    @abstractmethod
    def error(self, batch: Batch) -> Tensor:
        """Squared errors of a batch, one for each number that is learned."""

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """AdamW for everything."""
        (network,) = self.modules.values()
        return [torch.optim.AdamW(network.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay)]

    def training_step(self, batch: Batch, *, generator: torch.Generator) -> tuple[Tensor, dict[str, float | Tensor]]:
        """Loss of one batch."""
        return self.error(batch).mean(), {}
