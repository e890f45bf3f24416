"""Exponential moving average of the weights, with a warm-up so that early averages are not the initial weights."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


def warmed_up_average(ema_decay: float) -> Callable[..., None]:
    """Return the update ``ema += (1 - decay) (weights - ema)`` with ``decay = min(ema_decay, (1 + n) / (10 + n))``."""

    @torch.no_grad()
    def update(averaged: list[Tensor], current: list[Tensor], num_averaged: Tensor | int) -> None:
        count = int(num_averaged)
        decay = min(ema_decay, (1 + count) / (10 + count))
        torch._foreach_lerp_(averaged, current, 1.0 - decay)

    return update


class WeightAverage:
    """The averaged twin of a set of modules. Parameters are averaged; buffers (statistics) stay the modules' own."""

    def __init__(self, modules: Mapping[str, nn.Module], *, ema_decay: float) -> None:
        self.live = nn.ModuleDict(dict(modules))
        self.averaged = AveragedModel(self.live, multi_avg_fn=warmed_up_average(ema_decay))

    def update(self) -> None:
        """Take in the weights after an optimizer step."""
        self.averaged.update_parameters(self.live)

    @contextmanager
    def swapped_in(self) -> Iterator[None]:
        """Inside the block the modules compute with the averaged weights, in evaluation mode."""
        self._exchange()
        self.live.eval()
        try:
            yield
        finally:
            self._exchange()
            self.live.train()

    def _exchange(self) -> None:
        # Pointers change hands, nothing is copied, and the optimizers keep seeing the same parameter objects.
        for live, averaged in zip(self.live.parameters(), self.averaged.module.parameters(), strict=True):
            live.data, averaged.data = averaged.data, live.data

    def tensors(self) -> dict[str, Tensor]:
        """Return the averaged parameters and the number of updates so far, by name."""
        named = {f"weights.{name}": parameter.detach() for name, parameter in self.averaged.module.named_parameters()}
        return named | {"num_averaged": self.averaged.n_averaged}

    def load_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore what ``tensors`` returned, bit for bit."""
        with torch.no_grad():
            for name, target in self.tensors().items():
                target.copy_(tensors[name])
