"""Whoever drives by a script, as an agent that can be evaluated like any other."""

from collections.abc import Callable, Sequence

import numpy as np

from dfplan.domains.scripted.collect import Script
from dfplan.types import Bounds, PlanEvent


class ScriptAgent:
    """See :class:`~dfplan.evaluation.rollout.Agent`.

    Args:
        script: of an observation and a goal.
        bounds: between which actions lie.
    """

    def __init__(self, script: Script, bounds: Bounds) -> None:
        self._script, self._bounds = script, bounds
        self.on_plan: Callable[[PlanEvent], None] | None = None

    def reset(self, *, seeds: Sequence[int], goals: np.ndarray) -> None:
        """Begin new episodes."""
        self._goals = goals

    def act(self, observations: np.ndarray) -> np.ndarray:
        """Actions within their bounds."""
        actions = [self._script(*each) for each in zip(observations, self._goals, strict=True)]
        return np.clip(actions, self._bounds.low, self._bounds.high).astype(np.float32)
