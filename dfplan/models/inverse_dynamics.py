"""Inverse dynamics: which action leads from what is observed now to what is to be observed a few steps later."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dfplan.errors import UserError
from dfplan.measured import with_present_names
from dfplan.models.bundle import load_bundle, save_bundle
from dfplan.models.description import check_sizes
from dfplan.models.forcing_model import SENSELESS, load_weights

_PREFIX = "inverse."


class InverseDynamics(nn.Module):
    """A small network ``(observation, later observation, steps between) -> action``.

    It is shown the observation in standard deviations, and by how much a step the later one differs from it, in
    standard deviations of what a step changes, so that a small difference is seen, too. The buffers are of the data.

    Args:
        observation_dim: numbers in an observation.
        action_dim: numbers in an action.
        most_steps: largest number of steps between the two.
        width: hidden size.
    """

    def __init__(self, *, observation_dim: int, action_dim: int, most_steps: int = 16, width: int = 128) -> None:
        super().__init__()
        self.sizes = {"observation_dim": observation_dim, "action_dim": action_dim}
        self.sizes |= {"most_steps": most_steps, "width": width}
        self.most_steps = most_steps
        for name in ("mean", "std", "change_std"):
            self.register_buffer(name, torch.ones(observation_dim))
        for name in ("action_mean", "action_std"):
            self.register_buffer(name, torch.ones(action_dim))
        self.network = _network(2 * observation_dim + 1, action_dim, width=width)

    mean: Tensor
    std: Tensor
    change_std: Tensor
    action_mean: Tensor
    action_std: Tensor

    def forward(self, observations: Tensor, later: Tensor, steps: Tensor) -> Tensor:
        """Actions ``(batch, action_dim)`` in the units of the environment, near their bounds or within.

        Args:
            observations: ``(batch, observation_dim)``.
            later: ``(batch, observation_dim)``.
            steps: ``(batch,)``, from 1 to ``most_steps``.
        """
        present = (observations - self.mean) / self.std
        changed = (later - observations) / (steps[:, None] * self.change_std)
        shown = torch.cat([present, changed, steps[:, None] / self.most_steps], dim=1)
        return self.action_mean + self.action_std * self.network(shown)

    @torch.no_grad()
    def actions(self, observations: np.ndarray, later: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """The same of float32 arrays."""
        given = (torch.as_tensor(each, device=next(self.parameters()).device) for each in (observations, later, steps))
        return self(*given).cpu().numpy()


class MotionInverseDynamics(InverseDynamics):
    """Of observations that are a place and its speed, with actions in [-1, 1]: what bundles of 0.3 and earlier hold.

    It is shown the speed, and by how much the later place and speed differ from where this would lead anyhow.

    Args:
        goal_dim: numbers in a goal; an observation is a place, such as a goal is, and its speed.
        action_dim: and the others: as of :class:`InverseDynamics`.
        most_steps: likewise.
        width: likewise.
    """

    def __init__(self, *, goal_dim: int, action_dim: int, most_steps: int, width: int) -> None:
        nn.Module.__init__(self)
        self.sizes = {"goal_dim": goal_dim, "action_dim": action_dim, "most_steps": most_steps, "width": width}
        self.goal_dim, self.most_steps = goal_dim, most_steps
        self.register_buffer("speed_std", torch.ones(()))
        self.register_buffer("step_seconds", torch.ones(()))
        self.network = _network(3 * goal_dim + 1, action_dim, width=width)

    speed_std: Tensor
    step_seconds: Tensor

    def forward(self, observations: Tensor, later: Tensor, steps: Tensor) -> Tensor:
        """See :meth:`InverseDynamics.forward`."""
        dim = self.goal_dim
        speed, later_speed = observations[:, dim:], later[:, dim:]
        mean_speed = (later[:, :dim] - observations[:, :dim]) / (steps[:, None] * self.step_seconds)
        shown = torch.cat([speed, mean_speed - speed, later_speed - speed], dim=1) / self.speed_std
        return self.network(torch.cat([shown, steps[:, None] / self.most_steps], dim=1))


def _network(inputs: int, outputs: int, *, width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, outputs)
    )


def save_inverse_dynamics(folder: Path, inverse: InverseDynamics, metadata: Mapping[str, Any]) -> None:
    """Write the bundle that :func:`load_inverse_dynamics` reads; ``metadata`` is plain JSON."""
    tensors = {_PREFIX + name: value for name, value in inverse.state_dict().items()}
    save_bundle(folder, tensors, {**metadata, "inverse_dynamics": inverse.sizes})


def load_inverse_dynamics(folder: Path) -> InverseDynamics:
    """Rebuild the network, in evaluation mode and frozen.

    Raises:
        UserError: the bundle is missing or damaged, or is of something else.
    """
    tensors, metadata = load_bundle(folder, check=partial(_check_claims, folder=folder))
    sizes = with_present_names(metadata["inverse_dynamics"])
    inverse = (MotionInverseDynamics if "goal_dim" in sizes else InverseDynamics)(**sizes)
    load_weights(inverse, tensors, prefix=_PREFIX, folder=folder)
    return inverse.eval().requires_grad_(False)


def _check_claims(shapes: Mapping[str, tuple[int, ...]], metadata: Mapping[str, Any], *, folder: Path) -> None:
    """Refuse sizes that the tensors cannot have come from, before anything is built from them."""
    try:
        sizes = with_present_names(metadata["inverse_dynamics"])
        if set(sizes) - {"goal_dim", "observation_dim"} != {"action_dim", "most_steps", "width"} or len(sizes) != 4:
            raise ValueError(f"its sizes are {sorted(sizes)}")
        check_sizes({name: value for name, value in sizes.items() if name != "most_steps"}, shapes)
        if type(sizes["most_steps"]) is not int or not 1 <= sizes["most_steps"] <= 1000:
            raise ValueError("most_steps must be a whole number from 1 to 1000")
        if not all(name.startswith(_PREFIX) for name in shapes):
            raise ValueError("it holds tensors of something else")
    except SENSELESS as error:
        raise UserError(
            f"{folder} does not describe inverse dynamics ({error}); train some with "
            "`dfplan train task=inverse-dynamics`"
        ) from error
