"""Checks what a bundle says of its planner before anything is built from it: a hostile size must cost nothing."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from torch.nn import Module

from dfplan.measured import check_values, positive
from dfplan.tokens.layout import MAY_BE_0
from dfplan.types import Bounds

Shapes = Mapping[str, tuple[int, ...]]

PARTS = ("denoiser.", "normalizer.", "support.", "scorer.")
MAX_NUM_TOKENS = 100_000
MAX_CELLS = 10_000_000
TENSORS_PER_LAYER = 4  # at least; a layer of either network has more


def check_sizes(sizes: Mapping[str, Any], shapes: Shapes) -> None:
    """Refuse sizes of a layout or a network that the tensors beside them cannot have come from.

    Every size is a length of some tensor, or shorter than one; layers are many tensors each. So whatever is built from
    the sizes is no larger than what the file itself holds. A switch has no size.

    Raises:
        ValueError: names the size.
    """
    longest = max((length for shape in shapes.values() for length in shape), default=0)
    for name, value in sizes.items():
        largest = len(shapes) // TENSORS_PER_LAYER if name == "num_layers" else longest
        least = 0 if name in MAY_BE_0 else 1
        if not isinstance(value, bool) and (not isinstance(value, int) or not least <= value <= largest):
            raise ValueError(
                f"{name} must be a whole number from {least} to {largest}, by its tensors; got {_short(value)}"
            )


def check_numbers(*, num_layers: int, width: int, token_dim: int, shapes: Shapes) -> None:
    """Refuse a network with many more numbers than the tensors beside its description hold.

    A layer of either network has at least six matrices of ``width x width``, and a token enters through one of
    ``token_dim x width``. So building a network takes at most a few times the memory of its file.

    Raises:
        ValueError: says how many numbers are missing.
    """
    needed, found = width * max(6 * num_layers * width, token_dim), sum(map(math.prod, shapes.values()))
    if needed > found:
        raise ValueError(
            "the weights do not fit the network its description names: "
            f"it has at least {needed:,} numbers, its tensors hold {found:,}"
        )


def check_shapes(network: Module, shapes: Shapes, *, prefix: str) -> None:
    """Refuse a network whose tensors are not those of that ``prefix`` beside its description.

    Raises:
        ValueError: names the first that is missing or has another shape.
    """
    for name, value in network.state_dict().items():
        found = shapes.get(prefix + name)
        if found != tuple(value.shape):
            raise ValueError(
                f"the weights do not fit the network its description names: {name} should have shape "
                f"{tuple(value.shape)}; got {found}"
            )


def check_others(shapes: Shapes) -> None:
    """Refuse tensors that belong to no part of a planner, and a map of visited cells that is too large for any.

    Raises:
        ValueError: names the tensor.
    """
    for name, shape in shapes.items():
        if not name.startswith(PARTS) or (name.startswith("support.") and math.prod(shape) > MAX_CELLS):
            raise ValueError(f"tensor {name} of shape {shape} is no part of a planner")


def check_num_tokens(value: Any) -> int:
    """Return the length of a training window.

    Raises:
        ValueError: it is none that a planner could work with.
    """
    if type(value) is not int or not 1 <= value <= MAX_NUM_TOKENS:
        raise ValueError(f"num_tokens must be a whole number from 1 to {MAX_NUM_TOKENS}; got {_short(value)}")
    return value


def action_bounds(metadata: Mapping[str, Any], *, action_dim: int) -> Bounds:
    """Between which numbers actions lie; -1 and 1 where a description says nothing, as none did once.

    Raises:
        KeyError, TypeError, ValueError: it is nothing of the kind.
    """
    told = metadata.get("action_bounds", {"low": [-1.0] * action_dim, "high": [1.0] * action_dim})
    low, high = (np.array(told[side], dtype=np.float32) for side in ("low", "high"))
    if not (low.shape == high.shape == (action_dim,) and np.isfinite([low, high]).all() and (low <= high).all()):
        raise ValueError(f"action_bounds must be {action_dim} numbers each, low not above high; got {_short(told)}")
    return Bounds(low, high)


def reward_scale(metadata: Mapping[str, Any]) -> dict[str, float]:
    """Mean and standard deviation of the reward slot, as arguments of a normaliser; nothing where nothing is said.

    Raises:
        KeyError, TypeError, ValueError: it is nothing of the kind.
    """
    if "rewards" not in metadata:
        return {}
    mean, std = float(metadata["rewards"]["mean"]), positive("rewards.std", metadata["rewards"]["std"])
    check_values("rewards.mean", np.array(mean))
    return {"reward_mean": mean, "reward_std": std}


def _short(value: Any) -> str:
    return repr(value)[:40]
