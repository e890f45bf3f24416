"""Candidates for one part of a plan."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Draft:
    """Candidates for one part, in environment units.

    Attributes:
        states: ``(candidates, points, observation_dim)``.
        num_steps, arrival, value: ``(candidates,)``, see :class:`~dfplan.domain.Score`.
        evaluations: ``(2,)`` int64, calls of the network and tokens computed.
        steps_per_point: steps between two states.
    """

    states: np.ndarray
    num_steps: np.ndarray
    arrival: np.ndarray
    value: np.ndarray
    evaluations: np.ndarray
    steps_per_point: int

    def until_arrival(self, candidate: int) -> np.ndarray:
        """States ``(points, observation_dim)`` of a candidate up to where it arrives, or to its end."""
        steps = min(int(self.arrival[candidate]), int(self.num_steps[candidate]))
        return self.states[candidate, : -(-steps // self.steps_per_point)]
