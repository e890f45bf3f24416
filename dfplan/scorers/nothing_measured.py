"""What scorers answer of which nothing was measured on the data: that they do not know."""

from collections.abc import Mapping
from typing import Any, NoReturn, Self

import numpy as np

from dfplan.errors import UserError
from dfplan.types import Reach


class NothingMeasured:
    """Answers of :class:`~dfplan.domain.PlanScorer` that end no plan early, bound nothing and doubt no state."""

    kind: str

    def finished(self, states: np.ndarray, goals: np.ndarray) -> np.ndarray:
        """See :class:`~dfplan.domain.PlanScorer`: no plan is over before its end."""
        return np.zeros(states.shape[:2], dtype=bool)

    def lower_bound(self, states: np.ndarray, goals: np.ndarray) -> np.ndarray:
        """See :class:`~dfplan.domain.PlanScorer`: unknown."""
        return np.zeros(len(states))

    def is_familiar(self, states: np.ndarray) -> np.ndarray:
        """See :class:`~dfplan.domain.PlanScorer`: nobody has measured it."""
        return np.ones(states.shape[:-1], dtype=bool)

    def reach(self, mean: np.ndarray, std: np.ndarray, *, goal_dim: int, margin: float | None) -> Reach:
        """See :class:`~dfplan.domain.PlanScorer`: only what is far from the data's mean is out of it."""
        return Reach.around(mean, std, goal_dim=goal_dim)

    def keeping(self, constraints: Any) -> NoReturn:
        """See :class:`~dfplan.domain.PlanScorer`: where plans may go instead, it does not know.

        Raises:
            UserError: always.
        """
        raise UserError(
            "these weights know neither how actions move the robot nor where the data was (they score plans by "
            f"{self.kind}); constraints need both: use weights that do, such as maze2d-large, or leave them out"
        )

    def plan_parts(self, planner: Any, context: Any, goal: Any, **asked: Any) -> NoReturn:
        """See :class:`~dfplan.domain.PlanScorer`; never asked, as nothing can be kept."""
        self.keeping(None)

    def with_penalties(self, penalties: Mapping[str, float]) -> Self:
        """See :class:`~dfplan.domain.PlanScorer`: it knows none."""
        return self
