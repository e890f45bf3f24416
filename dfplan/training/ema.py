"""Exponential moving average of the weights, with a warm-up so that early averages are not the initial weights."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from dfplan.training.sharding import is_share, let_go, share_of


class WeightAverage:
    """The averaged weights of a set of modules. Buffers (statistics) are not averaged: they are the modules' own.

    After ``n`` updates the next one is ``average += (1 - decay) (weights - average)`` with
    ``decay = min(ema_decay, (1 + n) / (10 + n))``. (torch's ``AveragedModel`` walks through all modules at every
    update, which costs milliseconds; here the lists are made once.)
    """

    def __init__(self, modules: Mapping[str, nn.Module], *, ema_decay: float) -> None:
        self.live = nn.ModuleDict(dict(modules))
        self.ema_decay = ema_decay
        self.num_updates = 0
        self._parameters = dict(self.live.named_parameters())
        self._averaged = {name: each.detach().clone() for name, each in self._parameters.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights after an optimizer step."""
        decay = min(self.ema_decay, (1 + self.num_updates) / (10 + self.num_updates))
        live: list[Tensor] = [*self._parameters.values()]
        get_ema_multi_avg_fn(decay)([*self._averaged.values()], live, self.num_updates)
        self.num_updates += 1

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
        let_go(self.live)
        for name, parameter in self._parameters.items():
            if is_share(parameter):  # of which FSDP has pointers of its own
                live = parameter.detach().clone()
                parameter.detach().copy_(self._averaged[name])
                self._averaged[name] = live
            else:
                parameter.data, self._averaged[name] = self._averaged[name], parameter.data

    def tensors(self) -> dict[str, Tensor]:
        """Return the averaged parameters by name."""
        return dict(self._averaged)

    def load(self, tensors: Mapping[str, Tensor], *, num_updates: int) -> None:
        """Restore averaged parameters, bit for bit."""
        for name, averaged in self._averaged.items():
            averaged.copy_(share_of(tensors[name], averaged))
        self.num_updates = num_updates
