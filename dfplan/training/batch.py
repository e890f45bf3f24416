"""Batches as the loop sees them: dicts or dataclasses of arrays, cut along the first axis and put on a device."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


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
