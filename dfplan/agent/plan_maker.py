"""What an agent asks for plans."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import torch

from dfplan.types import Plan


@runtime_checkable
class PlanMaker(Protocol):
    """A :class:`~dfplan.planner.Planner`, or anything that is asked like one.

    Where it has a ``reach`` (:class:`~dfplan.types.Reach`), observations and goals beyond that are refused, and an
    observation that no step can have led to begins a new episode. Where it has ``action_bounds``
    (:class:`~dfplan.types.Bounds`), actions lie between these, else between -1 and 1.
    """

    @property
    def observation_dim(self) -> int:
        """Length of an observation."""
        ...

    @property
    def goal_dim(self) -> int:
        """Length of a goal."""
        ...

    def plan(
        self,
        observations: np.ndarray,
        goals: np.ndarray | None,
        *,
        horizon: int,
        generators: Sequence[torch.Generator],
    ) -> Plan:
        """Plan for a batch; see :meth:`dfplan.planner.Planner.plan`."""
        ...
