"""What a network makes of noise levels and places alone: plans ask for the same ones again and again."""

import copy
from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

import torch
from torch import nn

MOST_REMEMBERED = 64  # plans of one length ask for some twenty
Value = TypeVar("Value")


class LevelMemory(Generic[Value]):
    """Remembers results by what was asked, for as long as the weights that they depend on stay as they are.

    Args:
        parameters: these weights; a change in place is noticed.
    """

    def __init__(self, parameters: Iterable[nn.Parameter] = ()) -> None:
        self._parameters = tuple(parameters)
        self._found: tuple[int, dict[Hashable, Value]] = (0, {})

    def __len__(self) -> int:
        return len(self._found[1])

    def __deepcopy__(self, memo: dict[int, object]) -> "LevelMemory[Value]":
        return LevelMemory(copy.deepcopy(self._parameters, memo))  # those of the copy; nothing is remembered yet

    def find(self, key: Hashable, compute: Callable[[], Value]) -> Value:
        """What was computed for ``key``, or is now."""
        versions, found = self._found
        if versions != (current := sum(each._version for each in self._parameters)) or len(found) >= MOST_REMEMBERED:
            self._found = current, found = current, {}
        if key not in found:
            found[key] = compute()
        return found[key]


def counts_operations() -> bool:
    """Whether results must be made by operations: to differentiate, compile or export them, or in another precision."""
    return torch.is_grad_enabled() or torch.compiler.is_compiling() or torch.is_autocast_enabled("cpu")
