"""What makes one plan better than another: for a point mass in a maze, for any goal, for any reward. NumPy alone."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from dfplan.domain import PlanScorer
from dfplan.scorers.goal import GoalScorer
from dfplan.scorers.paths import first_arrival, steps_along
from dfplan.scorers.point_mass import PointMassScorer, as_point_mass, reach_of
from dfplan.scorers.returns import ReturnScorer
from dfplan.scorers.value import ValueFunction, fit_value

__all__ = [
    "SCORERS",
    "GoalScorer",
    "PointMassScorer",
    "ReturnScorer",
    "ValueFunction",
    "as_point_mass",
    "first_arrival",
    "fit_value",
    "reach_of",
    "read_scorer",
    "steps_along",
]

SCORERS: dict[str, type] = {each.kind: each for each in (PointMassScorer, GoalScorer, ReturnScorer)}


def read_scorer(description: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> PlanScorer:
    """The scorer that ``describe`` told of; bundles from before there were several are of a point mass.

    Raises:
        KeyError, TypeError, ValueError: it makes no sense.
    """
    kind = description.get("scorer", PointMassScorer.kind)
    if kind not in SCORERS:
        raise ValueError(f"scorer must be one of {', '.join(SCORERS)}; got {kind!r:.40}")
    return SCORERS[kind].from_description(description, arrays)
