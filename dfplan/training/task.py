"""What the loop asks of a task and of a dataset; nothing here trains anything."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

Batch = TypeVar("Batch", contravariant=True)
Drawn = TypeVar("Drawn", covariant=True)


class Task(Protocol[Batch]):
    """What is trained: modules, optimizers, loss, validation and the artefact that remains.

    The loop moves the modules to the device before it asks for the optimizers, calls ``training_step`` under autocast,
    and swaps the averaged (EMA) weights in around ``validate`` and ``export``. It never wraps a module, so that a task
    calls its own modules in whatever way it likes.
    """

    @property
    def modules(self) -> Mapping[str, nn.Module]:
        """Everything with weights or buffers, by a name without dots."""
        ...

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Return the optimizers; the learning rate of each group is the peak that the schedule scales."""
        ...

    def training_step(self, batch: Batch, *, generator: torch.Generator) -> tuple[Tensor, Mapping[str, float | Tensor]]:
        """Return the loss of a batch, averaged over the batch, and what else to log; all noise from ``generator``."""
        ...

    def validate(self, modules: Mapping[str, nn.Module], *, seed: int) -> Mapping[str, float]:
        """Return validation metrics of ``modules`` (the task's own, averaged weights swapped in), without gradients.

        A function of the weights and the seed alone, so that validations compare.
        """
        ...

    def export(self, folder: Path) -> None:
        """Write what a planner needs into ``folder``."""
        ...


@runtime_checkable
class DrawsPictures(Protocol):
    """What a task may offer besides: a picture of what it can do, made after every validation."""

    def draw(self, modules: Mapping[str, nn.Module], path: Path, *, seed: int) -> None:
        """Write a PNG of what ``modules`` (averaged weights swapped in) do, without gradients."""
        ...


class Dataset(Protocol[Drawn]):
    """Where batches come from."""

    def sample(self, batch_size: int, generator: np.random.Generator) -> Drawn:
        """Return a dict or dataclass of arrays or tensors whose first axis is the batch; a function of the arguments.

        The loop cuts it into equal parts for accumulation and for processes. Scalars and anything that is not an array
        are passed on whole.
        """
        ...


@runtime_checkable
class ReadsParts(Protocol[Drawn]):
    """What a dataset may offer besides: a part of a batch without reading the rest, for processes that share it."""

    def sample_part(self, batch_size: int, generator: np.random.Generator, *, part: slice) -> Drawn:
        """Return what ``sample(batch_size, generator)`` has at ``part`` of its first axis."""
        ...
