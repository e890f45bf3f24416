"""The task that trains inverse dynamics on pairs of observations a few steps apart."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dfplan.models.inverse_dynamics import InverseDynamics, save_inverse_dynamics
from dfplan.training.batch import beside
from dfplan.types import Trajectories


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


class InverseDynamicsTask:
    """Mean squared error of the action.

    Args:
        inverse: the network.
        learning_rate: of AdamW.
        weight_decay: of AdamW.
        held_out: pairs to validate on.
        metadata: what the exported bundle says of its making; plain JSON values.
    """

    def __init__(
        self,
        *,
        inverse: InverseDynamics,
        learning_rate: float,
        weight_decay: float,
        held_out: ObservationPairs,
        metadata: Mapping[str, Any],
    ) -> None:
        self.modules: dict[str, nn.Module] = {"inverse": inverse}
        self.inverse = inverse
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.held_out = held_out
        self.metadata = dict(metadata)

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """AdamW for everything."""
        return [torch.optim.AdamW(self.inverse.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay)]

    def training_step(
        self, batch: Mapping[str, Tensor], *, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float | Tensor]]:
        """Loss of one batch."""
        return self._error(batch).mean(), {}

    def _error(self, batch: Mapping[str, Any]) -> Tensor:
        observations, later, steps, actions = (
            torch.as_tensor(batch[name]) for name in ("observations", "later", "steps", "actions")
        )
        return (self.inverse(observations, later, steps) - actions).square()

    def validate(self, modules: Mapping[str, nn.Module], *, seed: int) -> dict[str, float]:
        """Share of the variance of held-out actions that is explained (R²)."""
        batch = beside(self.inverse, self.held_out.sample(8192, np.random.default_rng(seed)))
        return {"r2": float(1 - self._error(batch).mean() / batch["actions"].var(dim=0, correction=0).mean())}

    def export(self, folder: Path) -> None:
        """Write the bundle that :func:`~dfplan.models.inverse_dynamics.load_inverse_dynamics` reads."""
        save_inverse_dynamics(folder, self.inverse, self.metadata)
