"""A room in which others move: arriving is all, and plans keep to where walkers were."""

from dfplan.domains.gymnasium import GymnasiumDomain
from dfplan.scorers import VisitedScorer
from dfplan.scorers.support import measure_support, without_gaps
from dfplan.types import Trajectories


class MoversDomain(GymnasiumDomain):
    """See :class:`dfplan.domain.Domain`; weights are trained in the room without others, ``movers-0-v0``."""

    def fit_scorer(self, data: Trajectories) -> VisitedScorer:
        """See :class:`dfplan.domain.Domain`: by where the data were."""
        assert self.goal_radius is not None
        return VisitedScorer(self.goal_radius, without_gaps(measure_support(data)))
