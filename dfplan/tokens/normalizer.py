"""Brings actions, rewards and observations to the scale of the noise; its state travels in the checkpoint."""

import numpy as np
import torch
from torch import Tensor, nn

from dfplan.errors import UserError
from dfplan.types import Trajectories

# A reward slot is a share in [0, 1]; this brings it to [-1, 1].
_REWARD_MEAN, _REWARD_STD = 0.5, 0.5


class Normalizer(nn.Module):
    """Standardises every dimension by the mean and standard deviation of the data.

    Args:
        action_mean: ``(action_dim,)``.
        action_std: ``(action_dim,)``.
        observation_mean: ``(observation_dim,)``.
        observation_std: ``(observation_dim,)``.
    """

    def __init__(
        self, *, action_mean: Tensor, action_std: Tensor, observation_mean: Tensor, observation_std: Tensor
    ) -> None:
        super().__init__()
        self.register_buffer("action_mean", action_mean.float())
        self.register_buffer("action_std", action_std.float())
        self.register_buffer("observation_mean", observation_mean.float())
        self.register_buffer("observation_std", observation_std.float())

    action_mean: Tensor
    action_std: Tensor
    observation_mean: Tensor
    observation_std: Tensor

    @classmethod
    def fit(cls, trajectories: Trajectories) -> "Normalizer":
        """Measure the data.

        Raises:
            UserError: a dimension never varies, so that it cannot be standardised, or is not finite.
        """
        measured = {}
        for name, values in (("action", trajectories.actions), ("observation", trajectories.observations)):
            mean, std = values.mean(axis=0, dtype="float64"), values.std(axis=0, dtype="float64")
            if not np.isfinite(std).all():
                raise UserError(
                    f"{name} dimensions {(~np.isfinite(std)).nonzero()[0].tolist()} hold values that are not finite in "
                    f"{trajectories.source}; mend the data or generate it again"
                )
            if not (std > 1e-6).all():
                raise UserError(
                    f"{name} dimensions {(std <= 1e-6).nonzero()[0].tolist()} never vary in {trajectories.source}"
                )
            measured[f"{name}_mean"], measured[f"{name}_std"] = torch.from_numpy(mean), torch.from_numpy(std)
        return cls(**measured)

    @classmethod
    def blank(cls, *, action_dim: int, observation_dim: int) -> "Normalizer":
        """The identity, to load a state into."""
        return cls(
            action_mean=torch.zeros(action_dim),
            action_std=torch.ones(action_dim),
            observation_mean=torch.zeros(observation_dim),
            observation_std=torch.ones(observation_dim),
        )

    def actions(self, values: Tensor) -> Tensor:
        """Normalise actions ``[..., action_dim]``."""
        return (values - self.action_mean) / self.action_std

    def actions_back(self, values: Tensor) -> Tensor:
        """Undo :meth:`actions`."""
        return values * self.action_std + self.action_mean

    def rewards(self, values: Tensor) -> Tensor:
        """Normalise shares of time at the goal."""
        return (values - _REWARD_MEAN) / _REWARD_STD

    def rewards_back(self, values: Tensor) -> Tensor:
        """Undo :meth:`rewards`."""
        return values * _REWARD_STD + _REWARD_MEAN

    def observations(self, values: Tensor) -> Tensor:
        """Normalise observations, or their first dimensions only (a position)."""
        width = values.shape[-1]
        return (values - self.observation_mean[:width]) / self.observation_std[:width]

    def observations_back(self, values: Tensor) -> Tensor:
        """Undo :meth:`observations`."""
        width = values.shape[-1]
        return values * self.observation_std[:width] + self.observation_mean[:width]
