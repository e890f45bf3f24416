"""Batches as the loop sees them: dicts or dataclasses of arrays, cut along the first axis and put on a device."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dfplan.training.task import Dataset, ReadsParts


def sample_own(
    dataset: Dataset, batch_size: int, generator: np.random.Generator, *, process: int, num_processes: int
) -> Any:
    """Return what one of several processes trains on of a batch: its equal part, the ``process``-th.

    Which windows are in a batch, and in what order, does not depend on how many share it. Datasets that can
    (:class:`~dfplan.training.task.ReadsParts`) read that part alone, as where they are mapped into memory.
    """
    if isinstance(dataset, ReadsParts) and batch_size % num_processes == 0:
        length = batch_size // num_processes
        return dataset.sample_part(batch_size, generator, part=slice(process * length, (process + 1) * length))
    batch = dataset.sample(batch_size, generator)
    return part_of_batch(batch, index=process, num_parts=num_processes, device=torch.device("cpu"))


def part_of_batch(batch: Any, *, index: int, num_parts: int, device: torch.device) -> Any:
    """Return the ``index``-th of ``num_parts`` equal parts of a batch, with its arrays as tensors on ``device``."""

    def part(value: Any) -> Any:
        if not isinstance(value, np.ndarray | Tensor) or value.ndim == 0:
            return value
        length, rest = divmod(len(value), num_parts)
        if rest:
            raise ValueError(f"a batch of {len(value)} cannot be cut into {num_parts} equal parts")
        return torch.as_tensor(value[index * length : (index + 1) * length]).to(device, non_blocking=True)

    if is_dataclass(batch) and not isinstance(batch, type):
        return replace(batch, **{each.name: part(getattr(batch, each.name)) for each in fields(batch) if each.init})
    if isinstance(batch, Mapping):
        return {name: part(value) for name, value in batch.items()}
    raise TypeError(f"a dataset must return a dict or a dataclass of arrays; got {type(batch).__name__}")


def beside(module: nn.Module, batch: Any) -> Any:
    """A whole batch, with its arrays as tensors where the weights of a module are."""
    device = next((each.device for each in module.parameters()), torch.device("cpu"))
    return part_of_batch(batch, index=0, num_parts=1, device=device)
