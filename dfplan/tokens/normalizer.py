"""Brings actions, rewards and observations to the scale of the noise; its state travels in the checkpoint."""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dfplan.blocks import deviation
from dfplan.errors import UserError
from dfplan.measured import MAX_VALUE
from dfplan.types import Trajectories

# A reward that is a share of steps at the goal lies in [0, 1]; this brings it to [-1, 1].
SHARE_MEAN, SHARE_STD = 0.5, 0.5
VARIES = 1e-6  # least standard deviation of a dimension that is not constant


class Normalizer(nn.Module):
    """Standardises every dimension by the mean and standard deviation of the data.

    Args:
        action_mean: ``(action_dim,)``.
        action_std: ``(action_dim,)``.
        observation_mean: ``(observation_dim,)``.
        observation_std: ``(observation_dim,)``.
        reward_mean: of the reward slot; by default, and where a bundle says nothing, that of a share of steps.
        reward_std: likewise.
    """

    def __init__(
        self,
        *,
        action_mean: Tensor,
        action_std: Tensor,
        observation_mean: Tensor,
        observation_std: Tensor,
        reward_mean: float = SHARE_MEAN,
        reward_std: float = SHARE_STD,
    ) -> None:
        super().__init__()
        self.register_buffer("action_mean", action_mean.float())
        self.register_buffer("action_std", action_std.float())
        self.register_buffer("observation_mean", observation_mean.float())
        self.register_buffer("observation_std", observation_std.float())
        self.reward_mean, self.reward_std = reward_mean, reward_std

    action_mean: Tensor
    action_std: Tensor
    observation_mean: Tensor
    observation_std: Tensor

    @classmethod
    def fit(cls, trajectories: Trajectories, *, rewards_recorded: bool = False) -> "Normalizer":
        """Measure the data; a dimension that never varies is only centred.

        Args:
            trajectories: the data.
            rewards_recorded: whether the reward slot holds the rewards on record, rather than shares of steps.

        Raises:
            UserError: a dimension is not finite, or rewards are wanted that are not on record.
        """
        measured: dict[str, Any] = {}
        for name, values in (("action", trajectories.actions), ("observation", trajectories.observations)):
            mean, std = values.mean(axis=0, dtype="float64"), deviation(values)
            if not (known := np.abs(mean) + std <= MAX_VALUE).all():  # NaN is not, either
                raise UserError(
                    f"{name} dimensions {(~known).nonzero()[0].tolist()} hold values that are not finite, or beyond "
                    f"{MAX_VALUE:g}, in {trajectories.source}; mend them, give them in larger units, or take them out"
                )
            std = np.where(std > VARIES, std, 1.0)
            measured[f"{name}_mean"], measured[f"{name}_std"] = torch.from_numpy(mean), torch.from_numpy(std)
        if rewards_recorded:
            if trajectories.rewards is None:
                raise UserError(
                    f"{trajectories.source} has no rewards, and without goals plans are made for nothing else"
                )
            std = float(deviation(trajectories.rewards))
            measured["reward_mean"] = float(trajectories.rewards.mean(dtype="float64"))
            measured["reward_std"] = std if std > VARIES else 1.0
        return cls(**measured)

    @classmethod
    def blank(cls, *, action_dim: int, observation_dim: int, **rewards: float) -> "Normalizer":
        """The identity, to load a state into; ``rewards`` are ``reward_mean`` and ``reward_std``."""
        return cls(
            action_mean=torch.zeros(action_dim),
            action_std=torch.ones(action_dim),
            observation_mean=torch.zeros(observation_dim),
            observation_std=torch.ones(observation_dim),
            **rewards,
        )

    def actions(self, values: Tensor) -> Tensor:
        """Normalise actions ``[..., action_dim]``."""
        return (values - self.action_mean) / self.action_std

    def actions_back(self, values: Tensor) -> Tensor:
        """Undo :meth:`actions`."""
        return values * self.action_std + self.action_mean

    def rewards(self, values: Tensor) -> Tensor:
        """Normalise rewards."""
        return (values - self.reward_mean) / self.reward_std

    def rewards_back(self, values: Tensor) -> Tensor:
        """Undo :meth:`rewards`."""
        return values * self.reward_std + self.reward_mean

    def observations(self, values: Tensor) -> Tensor:
        """Normalise observations, or their first dimensions only (a goal)."""
        width = values.shape[-1]
        return (values - self.observation_mean[:width]) / self.observation_std[:width]

    def observations_back(self, values: Tensor) -> Tensor:
        """Undo :meth:`observations`."""
        width = values.shape[-1]
        return values * self.observation_std[:width] + self.observation_mean[:width]
