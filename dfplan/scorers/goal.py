"""Scores plans of any robot with goals: what arrives first and stays near is best."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dfplan.domain import Proposals, Score
from dfplan.measured import check_values, positive
from dfplan.scorers.nothing_measured import NothingMeasured
from dfplan.scorers.paths import first_arrival, steps_along

# Steps. Which of two plans comes sooner is not foreseen more exactly; where none arrives within them, their distances
# differ by what the model is wrong by, and to choose by that is to choose the oddest.
RESOLUTION = 2.0


@dataclass(frozen=True)
class GoalScorer(NothingMeasured):
    """Measures distance in the space of goals; the first numbers of an observation are what was achieved of them.

    Attributes:
        goal_radius: distance that counts as being at the goal.
        ends: whether a plan is over where it arrives; else it has to stay at its goal, too.
    """

    goal_radius: float
    ends: bool = False

    kind = "goal"
    counts_steps = True

    def score(self, plans: Proposals) -> Score:
        """See :class:`~dfplan.domain.PlanScorer`; among equals, the smaller mean distance from the goal decides."""
        dim, goals = plans.goals.shape[1], plans.goals
        achieved = steps_along(plans.starts[:, :dim], plans.states[..., :dim], steps_per_point=plans.steps_per_point)
        arrival = first_arrival(
            achieved, goals, radius=self.goal_radius, num_steps=plans.num_steps, after=plans.not_before
        )
        distances = np.linalg.norm(achieved - goals[:, None], axis=-1) / self.goal_radius
        planned = np.arange(achieved.shape[1]) < plans.num_steps[:, None]
        mean = np.where(planned, distances, 0).sum(axis=1) / planned.sum(axis=1)
        return Score(value=-(arrival + mean / (1 + mean)), arrival=arrival, resolution=RESOLUTION)

    def finished(self, states: np.ndarray, goals: np.ndarray) -> np.ndarray:
        """See :class:`~dfplan.domain.PlanScorer`."""
        apart = np.linalg.norm(states[..., : goals.shape[1]] - goals[:, None], axis=-1)
        return (apart <= self.goal_radius) & self.ends

    def check(self, mean: np.ndarray, std: np.ndarray) -> None:
        """See :class:`~dfplan.domain.PlanScorer`."""
        check_values("goal_radius", np.array(self.goal_radius))

    def describe(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """See :class:`~dfplan.domain.PlanScorer`."""
        return {"goal_radius": self.goal_radius, **({"ends": True} if self.ends else {})}, {}

    @classmethod
    def from_description(cls, described: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> "GoalScorer":
        """Undo :meth:`describe`.

        Raises:
            KeyError, TypeError, ValueError: it makes no sense.
        """
        return cls(positive("goal_radius", described["goal_radius"]), ends=described.get("ends", False) is True)
