"""What makes one plan better than another, for any goal and for any reward. NumPy alone."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from dfplan import plugins
from dfplan.domain import PlanScorer
from dfplan.errors import CodeOfOthers
from dfplan.scorers.goal import GoalScorer
from dfplan.scorers.paths import first_arrival, steps_along
from dfplan.scorers.returns import ReturnScorer
from dfplan.scorers.value import ValueFunction, fit_value
from dfplan.scorers.visited import VisitedScorer

__all__ = [
    "GoalScorer",
    "ReturnScorer",
    "ValueFunction",
    "VisitedScorer",
    "first_arrival",
    "fit_value",
    "read_scorer",
    "steps_along",
]


def read_scorer(description: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> PlanScorer:
    """The scorer that ``describe`` told of.

    Raises:
        KeyError, TypeError, ValueError: it makes no sense.
        UserError: nobody knows a scorer of that kind.
    """
    from dfplan.domains.maze import scorer as of_domain  # the one that a domain has of its own

    own = {each.kind: each for each in (of_domain.SCORER, GoalScorer, ReturnScorer, VisitedScorer)}
    # Bundles from before there were several do not say which: it was that one.
    name = description.get("scorer", of_domain.SCORER.kind)
    kind = plugins.find("scorers", name, own=own)
    if name in own:
        return kind.from_description(description, arrays)
    with CodeOfOthers(f"the scorer {name}, which an installed package brings,"):
        return kind.from_description(description, arrays)
