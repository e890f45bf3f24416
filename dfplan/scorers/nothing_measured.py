"""What scorers answer of which nothing was measured on the data: that they do not know."""

from collections.abc import Mapping
from typing import Self

import numpy as np


class NothingMeasured:
    """Answers of :class:`~dfplan.domain.PlanScorer` that end no plan early, bound nothing and doubt no state."""

    def finished(self, states: np.ndarray, goals: np.ndarray) -> np.ndarray:
        """See :class:`~dfplan.domain.PlanScorer`: no plan is over before its end."""
        return np.zeros(states.shape[:2], dtype=bool)

    def lower_bound(self, states: np.ndarray, goals: np.ndarray) -> np.ndarray:
        """See :class:`~dfplan.domain.PlanScorer`: unknown."""
        return np.zeros(len(states))

    def is_familiar(self, states: np.ndarray) -> np.ndarray:
        """See :class:`~dfplan.domain.PlanScorer`: nobody has measured it."""
        return np.ones(states.shape[:-1], dtype=bool)

    def with_penalties(self, penalties: Mapping[str, float]) -> Self:
        """See :class:`~dfplan.domain.PlanScorer`: it knows none."""
        return self
