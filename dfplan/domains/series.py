"""Series that nobody acts on, ``env=none``: numbers over time, of which futures are forecast and none is chosen."""

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from dfplan.domain import Spec
from dfplan.domains.gymnasium import MAZE_SOURCES, GymnasiumDomain
from dfplan.errors import UserError
from dfplan.scorers import ReturnScorer
from dfplan.types import Bounds, Trajectories

NAME = "none"


class SeriesDomain(GymnasiumDomain):
    """See :class:`dfplan.domain.Domain`: data of any width, no actions, no rewards, no goals."""

    tasks = frozenset({"forecast"})
    has_goals, goal_radius = False, None

    def __init__(self) -> None:
        self.env_id = NAME
        nothing = Bounds(np.zeros(0, np.float32), np.zeros(0, np.float32))
        self.spec = Spec(observation_dim=0, action_bounds=nothing, goal_dim=0, episode_steps=1)

    def make(self) -> NoReturn:
        """Refuse: there is nothing to act in."""
        raise UserError("env=none is a series that nobody acts on; `dfplan forecast` tells how it may go on")

    def load(self, source: str, *, say: Callable[[str], None], **how: Any) -> Trajectories:
        """See :class:`dfplan.domain.Domain`."""
        if source in MAZE_SOURCES:
            raise UserError("env=none has no data of its own; give data=<file>.csv or .npy, rows of numbers over time")
        return super().load(source, say=say, **how)

    def take(self, data: Trajectories, *, say: Callable[[str], None]) -> Trajectories:
        """See :class:`dfplan.domain.Domain`; data with actions are refused, as these would be left out in silence."""
        for note in data.notes:
            say(f"{data.source}: {note}")
        if data.actions.shape[1]:
            raise UserError(
                f"{data.source} has {data.actions.shape[1]} actions a row, and env=none forecasts what nobody acts on; "
                "give the env= that they were recorded in, or the observations alone as .csv or .npy"
            )
        return data

    def fit_scorer(self, data: Trajectories) -> ReturnScorer:
        """See :class:`dfplan.domain.Domain`: no future is better than another."""
        return ReturnScorer()

    def protocol(self, **options: Any) -> NoReturn:
        """Refuse: there are no episodes to play."""
        self.make()
