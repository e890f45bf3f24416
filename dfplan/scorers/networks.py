"""What is still to be earned from a state, by a few small networks whose mean counts. NumPy alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dfplan.measured import check_values

FARTHEST = 10.0  # standard deviations from the mean of the data that a state counts as, at most
NAMES = ("mean", "std", "scale", "range")


@dataclass(frozen=True)
class ValueNetworks:
    """Values of states; :func:`dfplan.training.value.train_value` trains them.

    Attributes:
        mean: ``(observation_dim,)``.
        std: ``(observation_dim,)``.
        scale: ``(2,)`` what an output of 0 stands for, and by how much one of 1 is more.
        range: ``(2,)`` no value lies beyond.
        weights: ``(members, inputs, outputs)`` of each layer; ReLU between them.
        biases: ``(members, outputs)`` of each layer.
    """

    mean: np.ndarray
    std: np.ndarray
    scale: np.ndarray
    range: np.ndarray
    weights: tuple[np.ndarray, ...]
    biases: tuple[np.ndarray, ...]

    def __call__(self, states: np.ndarray) -> np.ndarray:
        """Values ``(...)`` of states ``(..., observation_dim)``."""
        normal = np.clip((states - self.mean) / self.std, -FARTHEST, FARTHEST).astype(np.float32)
        hidden = normal.reshape(1, -1, states.shape[-1])
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            hidden = np.maximum(hidden @ weight + bias[:, None], 0)
        outputs = (hidden @ self.weights[-1] + self.biases[-1][:, None])[..., 0].mean(axis=0, dtype=np.float64)
        return np.clip(self.scale[0] + self.scale[1] * outputs, *self.range).reshape(states.shape[:-1])

    def arrays(self) -> dict[str, np.ndarray]:
        """What a bundle keeps, by name."""
        layers = {
            f"{kind}.{number}": each
            for kind, values in (("weights", self.weights), ("biases", self.biases))
            for number, each in enumerate(values)
        }
        rest = {name: getattr(self, name) for name in NAMES}
        return {name: np.asarray(each, np.float32) for name, each in (rest | layers).items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "ValueNetworks":
        """Undo :meth:`arrays`.

        Raises:
            KeyError, ValueError: one is missing, or shapes do not fit each other.
        """
        for name, values in arrays.items():
            check_values(name, values)
        count = sum(name.startswith("weights.") for name in arrays)
        weights, biases = (
            tuple(arrays[f"{kind}.{number}"] for number in range(count)) for kind in ("weights", "biases")
        )
        rest: dict[str, Any] = {name: arrays[name].astype(np.float64) for name in NAMES}
        members, inputs = len(weights[0]), len(rest["mean"])
        for weight, bias in zip(weights, biases, strict=True):
            if weight.shape[:2] != (members, inputs) or bias.shape != (members, weight.shape[2]):
                raise ValueError(f"layers of the value must follow each other; got {weight.shape} and {bias.shape}")
            inputs = weight.shape[2]
        if inputs != 1 or rest["std"].shape != rest["mean"].shape or rest["scale"].shape != rest["range"].shape != (2,):
            raise ValueError("the value is not one number of a state")
        return cls(weights=weights, biases=biases, **rest)
