"""A trained Diffuser, rebuilt from its bundle."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from dfplan.baselines.diffuser.temporal_unet import TemporalUnet
from dfplan.baselines.diffuser.windows import LimitsNormalizer
from dfplan.errors import UserError
from dfplan.measured import check_physics, check_values, positive
from dfplan.models.bundle import load_bundle, read_metadata
from dfplan.models.forcing_model import SENSELESS, load_weights
from dfplan.types import DoubleIntegrator, Reach

NAME = "diffuser"  # what a bundle calls its model
MAX_HORIZON = 100_000
MAX_LEVELS = 10_000
MAX_DIM = 1_000


@dataclass(frozen=True)
class DiffuserModel:
    """Everything that is needed to plan in environment units.

    Attributes:
        unet: in evaluation mode, without gradients to its weights.
        normalizer: environment units to [-1, 1].
        horizon: steps of a training window.
        num_levels: noise levels.
        action_dim: length of an action; an observation is the rest of a token.
        goal_radius: distance that counts as being at the goal.
        dynamics: how actions move the agent, as measured on the training data; Diffuser itself does not use it, a
            controller may.
        metadata: the whole description of the bundle.
    """

    unet: TemporalUnet
    normalizer: LimitsNormalizer
    horizon: int
    num_levels: int
    action_dim: int
    goal_radius: float
    dynamics: DoubleIntegrator
    metadata: Mapping[str, Any]

    @property
    def observation_dim(self) -> int:
        """Length of an observation."""
        return self.unet.token_dim - self.action_dim

    def to(self, device: str) -> "DiffuserModel":
        """Move the weights; returns itself."""
        self.unet.to(device)
        self.normalizer.to(device)
        return self


def is_diffuser(folder: Path) -> bool:
    """Whether the bundle in ``folder`` says that it is a Diffuser.

    Raises:
        UserError: there is no whole bundle.
    """
    model = read_metadata(folder).get("model")
    return isinstance(model, Mapping) and model.get("name") == NAME


def load_diffuser(folder: Path) -> DiffuserModel:
    """Rebuild a model from a bundle that :meth:`dfplan.baselines.diffuser.task.DiffuserTask.export` wrote.

    Raises:
        UserError: the bundle is missing or damaged, or is not of a Diffuser.
    """
    tensors, metadata = load_bundle(folder, check=partial(_check_claims, folder=folder))
    try:
        model, token_dim = metadata["model"], metadata["action_dim"] + metadata["observation_dim"]
        unet = TemporalUnet(token_dim=token_dim, width=model["width"], num_layers=model["num_layers"])
        dynamics = DoubleIntegrator(**{name: positive(name, value) for name, value in metadata["point_mass"].items()})
        goal_radius = positive("goal_radius", metadata["goal_radius"])
    except SENSELESS as error:
        raise _no_diffuser(folder, error) from error
    normalizer = LimitsNormalizer(torch.zeros(token_dim), torch.ones(token_dim))
    load_weights(unet, tensors, prefix="unet.", folder=folder)
    load_weights(normalizer, tensors, prefix="normalizer.", folder=folder)
    try:
        low, high = (each[metadata["action_dim"] :].numpy() for each in (normalizer.minimum, normalizer.maximum))
        check_values("limits_std", (normalizer.maximum - normalizer.minimum).numpy())
        dim = metadata["observation_dim"] // 2
        reach = Reach.around((low + high) / 2, (high - low) / 2, goal_dim=dim, dynamics=dynamics)
        check_physics(reach=reach, dynamics=dynamics, goal_radius=goal_radius)
    except ValueError as error:
        raise _no_diffuser(folder, error) from error
    return DiffuserModel(
        unet=unet.eval().requires_grad_(False),
        normalizer=normalizer,
        horizon=model["horizon"],
        num_levels=model["num_levels"],
        action_dim=metadata["action_dim"],
        goal_radius=goal_radius,
        dynamics=dynamics,
        metadata=metadata,
    )


def _check_claims(shapes: Mapping[str, tuple[int, ...]], metadata: Mapping[str, Any], *, folder: Path) -> None:
    """Refuse a description that is not of exactly these tensors, before they take any memory."""
    try:
        model = metadata["model"]
        limits = {"horizon": MAX_HORIZON, "num_levels": MAX_LEVELS, "width": 8 * MAX_DIM, "num_layers": 8}
        claims = {name: (model[name], limit) for name, limit in limits.items()}
        claims |= {name: (metadata[name], MAX_DIM) for name in ("action_dim", "observation_dim")}
        for name, (value, limit) in claims.items():
            if type(value) is not int or not 1 <= value <= limit:
                raise ValueError(f"{name} must be a whole number from 1 to {limit}; got {value!r:.40}")
        token_dim = metadata["action_dim"] + metadata["observation_dim"]
        with torch.device("meta"):  # shapes alone
            unet = TemporalUnet(token_dim=token_dim, width=model["width"], num_layers=model["num_layers"])
        expected = {f"unet.{name}": tuple(each.shape) for name, each in unet.state_dict().items()}
        expected |= {f"normalizer.{name}": (token_dim,) for name in ("minimum", "maximum")}
        if dict(shapes) != expected:
            wrong = sorted(name for name in shapes.keys() | expected if shapes.get(name) != expected.get(name))
            raise ValueError(f"{len(wrong)} tensors are not those of the network it names, the first is {wrong[0]}")
    except (*SENSELESS, UserError) as error:
        raise _no_diffuser(folder, error) from error


def _no_diffuser(folder: Path, error: Exception) -> UserError:
    return UserError(
        f"{folder} does not describe a Diffuser ({error}); train one with `dfplan train recipe=diffuser-large`"
    )
