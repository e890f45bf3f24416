"""What is still to be earned from a state: linear in random Fourier features, fitted by least squares."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dfplan.blocks import deviation, slices
from dfplan.measured import check_values
from dfplan.types import Trajectories

MAX_ROWS = 50_000  # of the data that a fit looks at: their features take some 200 MB
NUM_FEATURES = 512
NUM_PASSES = 5  # times that what comes after the end of a cut episode is estimated anew
RIDGE = 0.1  # per row: less says wild things of states beside the data (docs/log/2026/worlds.md)
NAMES = ("mean", "std", "frequencies", "phases", "weights", "range")


@dataclass(frozen=True)
class ValueFunction:
    """Discounted rewards from a state on, as the policies behind the data earn them.

    Attributes:
        mean: ``(observation_dim,)``.
        std: ``(observation_dim,)``.
        frequencies: ``(observation_dim, features)`` per standard deviation.
        phases: ``(features,)``.
        weights: ``(1 + observation_dim + features,)``.
        range: ``(2,)`` least and largest return in the data; no value lies beyond.
    """

    mean: np.ndarray
    std: np.ndarray
    frequencies: np.ndarray
    phases: np.ndarray
    weights: np.ndarray
    range: np.ndarray

    def __call__(self, states: np.ndarray) -> np.ndarray:
        """Values ``(...)`` of states ``(..., observation_dim)``."""
        return np.clip(self._features(states) @ self.weights, *self.range)

    def _features(self, states: np.ndarray) -> np.ndarray:
        """``(..., 1 + observation_dim + features)``."""
        dim = states.shape[-1]
        found = np.empty((*states.shape[:-1], 1 + dim + len(self.phases)))  # filled in place, as there may be very many
        found[..., 0] = 1
        normal = found[..., 1 : 1 + dim] = (states - self.mean) / self.std
        waves = np.matmul(normal, self.frequencies, out=found[..., 1 + dim :])
        waves += self.phases
        np.cos(waves, out=waves)
        return found

    def arrays(self) -> dict[str, np.ndarray]:
        """What a bundle keeps, by name."""
        return {name: getattr(self, name).astype(np.float32) for name in NAMES}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "ValueFunction":
        """Undo :meth:`arrays`.

        Raises:
            KeyError, ValueError: one is missing, or shapes do not fit each other.
        """
        found: dict[str, Any] = {name: arrays[name].astype(np.float64) for name in NAMES}
        for name, values in found.items():
            check_values(name, values)
        dim, features = found["frequencies"].shape
        shapes = {"mean": (dim,), "std": (dim,), "phases": (features,), "weights": (1 + dim + features,)}
        shapes["range"] = (2,)
        for name, shape in shapes.items():
            if found[name].shape != shape:
                raise ValueError(f"{name} of the value must have shape {shape}; got {found[name].shape}")
        return cls(**found)


def fit_value(data: Trajectories, *, discount: float, seed: int = 0) -> ValueFunction:
    """Fit the value of states to the returns that followed them in the data.

    What would have come after an episode that was cut off is what the fit itself says of its last state; after one that
    was terminated there is nothing.

    Args:
        data: with rewards.
        discount: per step.
        seed: of the features.
    """
    assert data.rewards is not None
    std = deviation(data.observations)
    dim, generator = data.observations.shape[1], np.random.default_rng(seed)
    value = ValueFunction(
        mean=data.observations.mean(axis=0, dtype=np.float64),
        std=np.where(std > 1e-6, std, 1.0),
        frequencies=generator.normal(size=(dim, NUM_FEATURES)) / math.sqrt(dim),
        phases=generator.uniform(0, 2 * np.pi, NUM_FEATURES),
        weights=np.zeros(1 + dim + NUM_FEATURES),
        range=np.zeros(2),
    )
    stride = -(-len(data) // MAX_ROWS)
    features = value._features(data.observations[::stride].astype(np.float64))
    gram = features.T @ features + RIDGE * len(features) * np.eye(features.shape[1])
    ends = data.observations[data.starts[1:] - 1].astype(np.float64)
    going_on = ~terminated(data)
    for _ in range(NUM_PASSES):
        beyond = np.concatenate([value(ends[rows]) for rows in slices(len(ends), features.nbytes / len(features))])
        after = np.where(going_on, beyond, 0.0)
        returns, extremes = _returns(data, after=after, discount=discount, stride=stride)
        value = replace(value, weights=np.linalg.solve(gram, features.T @ returns), range=extremes)
    return value


def terminated(data: Trajectories) -> np.ndarray:
    """Which trajectories were ended for good, ``(trajectories,)`` bool."""
    if data.terminations is None:
        return np.zeros(len(data.starts) - 1, dtype=bool)
    last = data.starts[1:] - 1
    before = np.maximum(last - 1, data.starts[:-1])
    return data.terminations[last] | data.terminations[before]


def seen_to_end(data: Trajectories) -> np.ndarray:
    """Which trajectories were ended for good and have the state that this left them in as their last row, bool.

    Nothing is to be earned there, and nothing is done. Where data have no observation after the last action, the last
    row is one like others.
    """
    if data.terminations is None:
        return np.zeros(len(data.starts) - 1, dtype=bool)
    return (np.diff(data.starts) > 1) & data.terminations[data.starts[1:] - 2]


def _returns(data: Trajectories, *, after: np.ndarray, discount: float, stride: int) -> tuple[np.ndarray, np.ndarray]:
    """Discounted return from every ``stride``-th row to the end of its trajectory, and ``after`` beyond.

    The last row of a trajectory has no reward, unless it has an action, too.

    Returns:
        One for each such row, and ``(2,)`` the least and the largest of all rows.
    """
    assert data.rewards is not None
    found, lengths = np.zeros(-(-len(data) // stride)), np.diff(data.starts)
    ahead, low, high = after.astype(np.float64).copy(), np.inf, -np.inf
    # All trajectories side by side, from their ends backwards.
    for step in range(int(lengths.max())):
        at = np.flatnonzero(lengths > step)
        rows = data.starts[1:][at] - 1 - step
        if step or data.last_actions:
            ahead[at] = data.rewards[rows] + discount * ahead[at]
        low, high = min(low, ahead[at].min()), max(high, ahead[at].max())
        kept = rows % stride == 0
        found[rows[kept] // stride] = ahead[at[kept]]
    return found, np.array([low, high])
