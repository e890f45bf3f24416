"""What an agent has to keep in its episodes: way-points passed so far, what its plans break, what it has broken."""

from dataclasses import replace
from typing import Any

import numpy as np

from dfplan.planner.constraints import Constraints
from dfplan.types import Plan

Info = dict[str, tuple[tuple[str, ...], ...] | np.ndarray]
"""What an agent tells of what must be kept, see :attr:`Obligations.info`; empty where nothing must be."""


class Obligations:
    """Watches a batch of environments.

    Args:
        constraints: what has to be kept.
        radius: distance that counts as passing a way-point.
        seconds_per_step: time between two observations.

    Attributes:
        passed: ``(batch, waypoints)`` bool, the way-points that each environment has been at (in order, if asked).
    """

    def __init__(self, constraints: Constraints, *, radius: float, seconds_per_step: float) -> None:
        # Functions judge whole plans.
        self.constraints = replace(constraints, functions=())
        self.radius = radius
        self.seconds_per_step = seconds_per_step
        self.reset(0)

    def reset(self, batch: int) -> None:
        """Begin new episodes."""
        self.passed = np.zeros((batch, len(self.constraints.waypoints)), dtype=bool)
        self._before: list[np.ndarray | None] = [None] * batch
        self._planned: list[tuple[str, ...]] = [()] * batch
        self._driven: list[tuple[str, ...]] = [()] * batch
        self._has_kept_plan = np.zeros(batch, dtype=bool)

    def restart(self, indices: np.ndarray) -> None:
        """Begin new episodes in some of the environments."""
        self.passed[indices], self._has_kept_plan[indices] = False, False
        for index in indices:
            self._before[index], self._planned[index], self._driven[index] = None, (), ()

    def observe(self, places: np.ndarray, *, steps: int = 1) -> None:
        """Take note of where the environments are, ``(batch, dim)``, so many steps after they were seen last."""
        before = [now if last is None else last for now, last in zip(places, self._before, strict=True)]
        step = np.stack([np.stack(before), places], axis=1)
        verdict = self.constraints.judge(
            step,
            num_steps=np.ones(len(places), dtype=np.int64),
            radius=self.radius,
            seconds_per_step=steps * self.seconds_per_step,
            passed=self.passed,
        )
        self.passed = ~verdict.missed
        for index, names in enumerate(verdict.broken):
            new = [name for name in names if name != "waypoints" and name not in self._driven[index]]
            self._driven[index] = (*self._driven[index], *new)
            self._before[index] = places[index]

    def follow(self, plan: Plan, *, indices: np.ndarray) -> None:
        """Take note of new plans."""
        for row, index in enumerate(indices):
            self._planned[index] = plan.verdict.broken[row] if plan.verdict is not None else ()
            arrives = plan.arrival[row] <= plan.num_steps[row]
            self._has_kept_plan[index] = plan.verdict is not None and arrives and not self._planned[index]

    def is_content(self, apart: np.ndarray, *, within: float) -> np.ndarray:
        """Which environments have a plan that keeps everything and are ``apart`` ``(batch,)`` from it, ``within``."""
        return self._has_kept_plan & (apart <= within)

    @property
    def info(self) -> Info:
        """What to tell whoever runs the loop.

        ``broken_by_plan`` and ``broken_by_driving`` are names of constraints, an environment a tuple;
        ``waypoints_left`` ``(batch,)`` counts.
        """
        return {
            "broken_by_plan": tuple(self._planned),
            "broken_by_driving": tuple(self._driven),
            "waypoints_left": (~self.passed).sum(axis=1),
        }


def obligations_of(planner: Any) -> Obligations | None:
    """What the plans of a planner must keep; None where there is nothing, or it does not say."""
    constraints = getattr(planner, "constraints", None)
    if not constraints:
        return None
    model = planner.model
    return Obligations(constraints, radius=model.goal_radius, seconds_per_step=model.step_seconds)
