"""Scores plans of any robot without goals: by the rewards that are predicted, and what comes after the end."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dfplan.domain import Proposals, Score
from dfplan.measured import positive
from dfplan.scorers.networks import ValueNetworks
from dfplan.scorers.nothing_measured import NothingMeasured
from dfplan.scorers.value import ValueFunction

PREFIX = "scorer."  # of the names of its arrays in a bundle


@dataclass(frozen=True)
class ReturnScorer(NothingMeasured):
    """Discounted sum of predicted rewards, and the value of the last planned state if there is a value.

    Attributes:
        discount: per step.
        value: what is still to be earned from a state; None is nothing.
    """

    discount: float = 0.97
    value: ValueFunction | ValueNetworks | None = None

    kind = "return"
    counts_steps = False

    def score(self, plans: Proposals) -> Score:
        """See :class:`~dfplan.domain.PlanScorer`; nothing ever arrives."""
        first = np.arange(plans.rewards.shape[1]) * plans.steps_per_token
        within = self.discount ** np.arange(plans.steps_per_token)
        weights = self.discount**first * within.sum()  # a token tells the mean reward of its steps
        planned = first < plans.num_steps[:, None]
        value = np.where(planned, plans.rewards * weights, 0).sum(axis=1)
        if self.value is not None:
            ends = plans.states[np.arange(len(value)), plans.num_steps // plans.steps_per_point - 1]
            value = value + self.discount**plans.num_steps * self.value(ends.astype(np.float64))
        return Score(value=value, arrival=plans.num_steps + 1)

    def check(self, mean: np.ndarray, std: np.ndarray) -> None:
        """See :class:`~dfplan.domain.PlanScorer`."""
        if self.discount > 1:
            raise ValueError(f"discount must be at most 1; got {self.discount:g}")
        if self.value is not None and self.value.mean.shape != mean.shape:
            raise ValueError(f"the value is of {len(self.value.mean)} numbers, observations have {len(mean)}")

    def describe(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """See :class:`~dfplan.domain.PlanScorer`."""
        arrays = {} if self.value is None else self.value.arrays()
        return {"discount": self.discount}, {PREFIX + name: each for name, each in arrays.items()}

    @classmethod
    def from_description(cls, described: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> "ReturnScorer":
        """Undo :meth:`describe`.

        Raises:
            KeyError, TypeError, ValueError: it makes no sense.
        """
        own = {name.removeprefix(PREFIX): each for name, each in arrays.items() if name.startswith(PREFIX)}
        kind = ValueFunction if "frequencies" in own else ValueNetworks
        return cls(positive("discount", described["discount"]), kind.from_arrays(own) if own else None)
