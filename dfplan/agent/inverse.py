"""A controller that asks inverse dynamics which action leads to the next planned observation."""

from typing import TYPE_CHECKING

import numpy as np

from dfplan.errors import UserError
from dfplan.scorers import steps_along
from dfplan.types import Bounds, Plan

if TYPE_CHECKING:
    from dfplan.models.inverse_dynamics import InverseDynamics


class InverseControl:
    """Steers to the planned observation due ``least_steps`` or more from now; past the end of a plan to its last.

    The planned actions are not looked at, the states alone are, so that errors of the actions do not add up.

    Args:
        inverse: inverse dynamics.
        bounds: between which actions lie.
        least_steps: how far off what is steered to is at least; what is nearer needs more force than there is.
    """

    def __init__(self, inverse: "InverseDynamics", *, bounds: Bounds, least_steps: int = 4) -> None:
        self.inverse, self.bounds = inverse, bounds
        self.least_steps = least_steps

    def reset(self, goals: np.ndarray) -> None:
        """See :class:`~dfplan.agent.controllers.Controller`."""
        self._points: list[np.ndarray | None] = [None] * len(goals)
        # Where the plan is after each step, for `disagreement`.
        self._places = [np.zeros((0, goals.shape[1]))] * len(goals)
        self._spacing = np.ones(len(goals), dtype=np.int64)
        self._elapsed = np.zeros(len(goals), dtype=np.int64)

    def restart(self, indices: np.ndarray, goals: np.ndarray) -> None:
        """See :class:`~dfplan.agent.controllers.Controller`."""
        for index in indices:
            self._points[index], self._places[index] = None, self._places[index][:0]

    def follow(self, plan: Plan, *, indices: np.ndarray, observations: np.ndarray) -> None:
        """See :class:`~dfplan.agent.controllers.Controller`.

        Raises:
            UserError: planned observations lie further apart than the inverse dynamics were trained on.
        """
        farthest = self.least_steps + plan.steps_per_point - 1
        if farthest > self.inverse.most_steps:
            raise UserError(
                f"these inverse dynamics know of up to {self.inverse.most_steps} steps, but planned observations, one "
                f"every {plan.steps_per_point} steps, are up to {farthest} ahead; train them with "
                f"task.most_steps={farthest} or more"
            )
        for row, index in enumerate(indices):
            points = plan.observations[row, : max(1, plan.num_steps[row] // plan.steps_per_point)]
            dim = self._places[index].shape[1]
            start, spacing = observations[row, :dim], plan.steps_per_point
            along = steps_along(start[None], points[None, :, :dim], steps_per_point=spacing)[0]
            self._points[index], self._places[index] = points, np.concatenate([start[None], along])
            self._spacing[index], self._elapsed[index] = plan.steps_per_point, 0

    def act(self, observations: np.ndarray) -> np.ndarray:
        """See :class:`~dfplan.agent.controllers.Controller`."""
        later, steps = observations.astype(np.float32).copy(), np.full(len(observations), self.inverse.most_steps)
        for row, points in enumerate(self._points):
            if points is None:
                continue
            spacing, now = self._spacing[row], self._elapsed[row]
            point = -(-(now + self.least_steps) // spacing)  # points are due at spacing, 2 * spacing, …
            later[row] = points[min(point, len(points)) - 1]
            steps[row] = point * spacing - now
        self._elapsed += 1
        actions = self.inverse.actions(observations.astype(np.float32), later, steps.astype(np.float32))
        return np.clip(actions, self.bounds.low, self.bounds.high).astype(np.float32)

    def needs_plan(self, observations: np.ndarray) -> np.ndarray:
        """Always."""
        return np.ones(len(observations), dtype=bool)

    def disagreement(self, observations: np.ndarray) -> np.ndarray:
        """Distance from where the plan is at this step, interpolated between its points; infinite past its end."""
        found = np.full(len(observations), np.inf)
        for row, (places, step) in enumerate(zip(self._places, self._elapsed, strict=True)):
            if step < len(places):
                found[row] = np.linalg.norm(observations[row, : places.shape[1]] - places[step])
        return found
