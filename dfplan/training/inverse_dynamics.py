"""The task that trains inverse dynamics on pairs of observations a few steps apart."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dfplan.blocks import deviation
from dfplan.models.inverse_dynamics import InverseDynamics, save_inverse_dynamics
from dfplan.training.batch import beside
from dfplan.training.regression import RegressionTask
from dfplan.types import Trajectories

LEAST = 1e-6  # a standard deviation below is none


class ObservationPairs:
    """Draws rows of trajectories, the observation there, one a few steps later, and the action of the row.

    Args:
        trajectories: the data.
        most_steps: largest number of steps between the two.
    """

    def __init__(self, trajectories: Trajectories, *, most_steps: int) -> None:
        self.trajectories, self.most_steps = trajectories, most_steps
        self._last_row = np.repeat(trajectories.starts[1:] - 1, np.diff(trajectories.starts))
        self._rows = np.flatnonzero(np.arange(len(trajectories)) < self._last_row)

    def sample(self, batch_size: int, generator: np.random.Generator) -> dict[str, np.ndarray]:
        """``observations``, ``later``, ``steps`` and ``actions``; see :class:`InverseDynamics`."""
        rows = self._rows[generator.integers(len(self._rows), size=batch_size)]
        later = np.minimum(
            rows + generator.integers(1, self.most_steps, size=batch_size, endpoint=True), self._last_row[rows]
        )
        data = self.trajectories
        return {
            "observations": data.observations[rows],
            "later": data.observations[later],
            "steps": (later - rows).astype(np.float32),
            "actions": data.actions[rows],
        }


def look_at(inverse: InverseDynamics, data: Trajectories) -> None:
    """Measure what the network is shown things in units of; what never changes counts as it is."""
    ends = data.starts[1:-1] - 1  # between them and the next row lies no step
    steps = np.delete(np.diff(data.observations, axis=0), ends, axis=0)
    acted = np.delete(data.actions, data.starts[1:] - 1, axis=0)
    moments = {"mean": data.observations.mean(axis=0, dtype=np.float64), "std": deviation(data.observations)}
    moments |= {"change_std": deviation(steps), "action_mean": acted.mean(axis=0), "action_std": deviation(acted)}
    for name, values in moments.items():
        is_mean = name.endswith("mean")
        inverse.get_buffer(name).copy_(torch.from_numpy(np.where(is_mean | (values > LEAST), values, 1.0)))


class InverseDynamicsTask(RegressionTask[Mapping[str, Any]]):
    """Mean squared error of the action, in standard deviations; ``options`` are of :class:`NetworkTask`."""

    def __init__(self, inverse: InverseDynamics, **options: Any) -> None:
        super().__init__({"inverse": inverse}, **options)
        self.inverse = inverse

    def error(self, batch: Mapping[str, Any]) -> Tensor:
        """See :class:`~dfplan.training.regression.RegressionTask`."""
        observations, later, steps, actions = (
            torch.as_tensor(batch[name]) for name in ("observations", "later", "steps", "actions")
        )
        return ((self.inverse(observations, later, steps) - actions) / self.inverse.action_std).square()

    @torch.no_grad()
    def validate(self, modules: Mapping[str, nn.Module], *, seed: int) -> dict[str, float]:
        """Share of the variance of held-out actions that is explained (R²)."""
        batch = beside(self.inverse, self.held_out.sample(8192, np.random.default_rng(seed)))
        variance = (batch["actions"] / self.inverse.action_std).var(dim=0, correction=0)
        return {"r2": float(1 - self.error(batch).mean() / variance.mean())}

    def export(self, folder: Path) -> None:
        """Write the bundle that :func:`~dfplan.models.inverse_dynamics.load_inverse_dynamics` reads."""
        save_inverse_dynamics(folder, self.inverse, self.metadata)
