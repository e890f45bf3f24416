"""Scores plans of anything that moves in a plane by what was measured on the data: where they were at all."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dfplan.domain import Proposals, Score
from dfplan.measured import check_values, positive
from dfplan.scorers.nothing_measured import NothingMeasured
from dfplan.scorers.paths import first_arrival, steps_along
from dfplan.types import Reach, Support

VISITED = "support.visited"


@dataclass(frozen=True)
class VisitedScorer(NothingMeasured):
    """For goals that are places, where arriving is all: of the plans that arrive, the first that stays on visited ways.

    The first numbers of an observation are the place. How actions move it is not known.

    Attributes:
        goal_radius: distance that counts as being at the goal.
        support: which places the data visited.
        ood_penalty: doubt per share of a plan's steps, until it arrives, that lie elsewhere.
    """

    goal_radius: float
    support: Support
    ood_penalty: float = 60.0

    kind = "visited"
    counts_steps = True

    def score(self, plans: Proposals) -> Score:
        """See :class:`~dfplan.domain.PlanScorer`; of plans that never arrive, the one that comes nearest is best."""
        dim, goals = plans.goals.shape[1], plans.goals
        places = steps_along(plans.starts[:, :dim], plans.states[..., :dim], steps_per_point=plans.steps_per_point)
        arrival = first_arrival(
            places, goals, radius=self.goal_radius, num_steps=plans.num_steps, after=plans.not_before
        )
        steps = np.arange(1, places.shape[1] + 1)
        planned, counted = steps <= plans.num_steps[:, None], steps <= arrival[:, None]
        nearest = np.where(planned, np.linalg.norm(places - goals[:, None], axis=-1), np.inf).min(axis=1)
        outside = (counted & ~self.support.contains(places)).sum(axis=1) / counted.sum(axis=1)
        cost = (arrival + nearest / (1 + nearest)) * (1 + self.ood_penalty * outside)
        return Score(value=-cost, arrival=arrival)

    def finished(self, states: np.ndarray, goals: np.ndarray) -> np.ndarray:
        """See :class:`~dfplan.domain.PlanScorer`: within the radius of the goal."""
        return np.linalg.norm(states[..., : goals.shape[1]] - goals[:, None], axis=-1) <= self.goal_radius

    def is_familiar(self, states: np.ndarray) -> np.ndarray:
        """See :class:`~dfplan.domain.PlanScorer`: where the data visited the place."""
        return self.support.contains(states[..., : self.support.visited.ndim])

    def reach(self, mean: np.ndarray, std: np.ndarray, *, goal_dim: int, margin: float | None) -> Reach:
        """See :class:`~dfplan.domain.PlanScorer`; where observations are places alone, their range is known."""
        is_place = len(mean) == len(self.support.origin)
        known = self.support.range.widened(margin) if is_place and margin is not None else None
        return Reach.around(mean, std, goal_dim=goal_dim, known=known)

    def with_penalties(self, penalties: Mapping[str, float]) -> "VisitedScorer":
        """See :class:`~dfplan.domain.PlanScorer`."""
        return replace(self, ood_penalty=penalties["ood_penalty"])

    def check(self, mean: np.ndarray, std: np.ndarray) -> None:
        """See :class:`~dfplan.domain.PlanScorer`."""
        check_values("goal_radius", np.array(self.goal_radius))
        if self.support.visited.ndim != len(self.support.origin) or not self.support.visited.any():
            raise ValueError("support says of no place that it was visited")

    def describe(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """See :class:`~dfplan.domain.PlanScorer`; the penalty is the planner's."""
        support = {"origin": self.support.origin.tolist(), "cell": self.support.cell}
        return {"goal_radius": self.goal_radius, "support": support}, {VISITED: self.support.visited.astype(np.uint8)}

    @classmethod
    def from_description(cls, described: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> "VisitedScorer":
        """Undo :meth:`describe`.

        Raises:
            KeyError, TypeError, ValueError: it makes no sense.
        """
        support = described["support"]
        origin, cell = np.array(support["origin"], np.float64), positive("cell", support["cell"])
        measured = Support(visited=arrays[VISITED] > 0, origin=origin, cell=cell)
        return cls(positive("goal_radius", described["goal_radius"]), measured)
