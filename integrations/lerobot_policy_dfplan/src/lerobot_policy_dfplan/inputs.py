"""What the weights are shown of what a robot shows: its vectors by name, the last steps of each, and the goal."""

import numpy as np
import torch
from torch import Tensor

from dfplan.tokens import TokenLayout
from lerobot_policy_dfplan.configuration_dfplan import DfplanConfig


class Inputs:
    """Keeps the last observed steps, and lays observation and goal out as the weights were trained.

    Args:
        config: which entries of a batch to take.
        layout: how many numbers the weights observe, act with and have as a goal.

    Raises:
        ValueError: the robot shows, or is moved by, other numbers.
    """

    def __init__(self, config: DfplanConfig, layout: TokenLayout) -> None:
        self._config, self._layout = config, layout
        self.names = _observed(config, layout)
        self._steps: list[dict[str, Tensor]] = []
        _check_goal(config, layout)
        acts = config.action_feature.shape
        if acts != (layout.action_dim,):
            raise ValueError(f"these weights act with {layout.action_dim} numbers, the robot takes {acts}: use others")

    def reset(self) -> None:
        """Forget: the next observation is the first one, as often as steps are observed."""
        self._steps = []

    def of(self, batch: dict[str, Tensor]) -> tuple[np.ndarray, np.ndarray]:
        """Observations ``(batch, observation_dim)`` and goals ``(batch, goal_dim)``.

        Entries are those of one step, ``(batch, numbers)``, a step after the ones before; or of all observed steps,
        ``(batch, n_obs_steps, numbers)``, the oldest first.

        Raises:
            ValueError: an entry is missing or of another shape.
        """
        needs_goal = self._layout.goal_dim > 0 and self._config.goal is None
        wanted = [*self.names, self._config.goal_feature] if needs_goal else self.names
        if missing := [name for name in wanted if name not in batch]:
            raise ValueError(f"the batch has no {missing[0]}; it holds {sorted(batch)}")
        given = {name: batch[name].detach().cpu().double() for name in wanted}
        count = self._config.n_obs_steps
        if given[self.names[0]].ndim == 2:
            shown = {name: given[name] for name in self.names}
            self._steps = [*(self._steps or [shown] * count), shown][-count:]
            stacked = {name: torch.stack([step[name] for step in self._steps], dim=1) for name in self.names}
        else:
            stacked = {name: given[name] for name in self.names}
        observations = np.concatenate([each.flatten(1).numpy() for each in stacked.values()], axis=1)
        return observations, self._goals(given, len(observations))

    def _goals(self, given: dict[str, Tensor], batch: int) -> np.ndarray:
        if not self._layout.goal_dim:
            return np.zeros((batch, 0))
        if self._config.goal is not None:
            return np.tile(self._config.goal, (batch, 1)).astype(np.float64)
        goals = given[self._config.goal_feature]
        return (goals if goals.ndim == 2 else goals[:, -1]).numpy()


def _observed(config: DfplanConfig, layout: TokenLayout) -> list[str]:
    """Names of the entries of a batch that are observed; the order of several must be said, as sizes do not tell it."""
    shown, count = config.vectors, config.n_obs_steps
    of_goal = layout.goal_dim > 0 and config.goal is None
    names = config.observation_features or [name for name in shown if not (of_goal and name == config.goal_feature)]
    fits = set(names) <= set(shown) and count * sum(map(shown.get, names)) == layout.observation_dim
    if fits and (len(names) == 1 or config.observation_features):
        return names
    has = ", ".join(f"{name} ({size})" for name, size in shown.items())
    raise ValueError(
        f"these weights observe {layout.observation_dim} numbers, the robot shows {has}, of which n_obs_steps={count} "
        f"of {', '.join(names) or 'none'} are taken: name those of the training data in their order by "
        f"observation_features, and by n_obs_steps how many steps of them were observed"
    )


def _check_goal(config: DfplanConfig, layout: TokenLayout) -> None:
    size = config.vectors.get(config.goal_feature, 0) if config.goal is None else len(config.goal)
    if layout.goal_dim and size != layout.goal_dim:
        raise ValueError(
            f"these weights drive to a goal of {layout.goal_dim} numbers, and {config.goal_feature} has {size}: name "
            "the entry that is the goal by goal_feature, or give the goal itself by goal"
        )
