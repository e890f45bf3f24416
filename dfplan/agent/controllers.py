"""How a plan becomes motion, and the simplest way: its own actions. Batched; no row depends on another."""

from typing import Protocol, runtime_checkable

import numpy as np

from dfplan.arrays import check_whole
from dfplan.scorers import steps_along
from dfplan.types import Plan


@runtime_checkable
class Controller(Protocol):
    """Turns plans into actions for a batch of environments."""

    def reset(self, goals: np.ndarray) -> None:
        """Begin new episodes with goals ``(batch, goal_dim)``."""
        ...

    def restart(self, indices: np.ndarray, goals: np.ndarray) -> None:
        """Begin new episodes for the rows ``indices`` alone, with goals ``(len(indices), goal_dim)``."""
        ...

    def follow(self, plan: Plan, *, indices: np.ndarray, observations: np.ndarray) -> None:
        """Take new plans for the rows ``indices``, made at ``observations`` ``(len(indices), observation_dim)``."""
        ...

    def act(self, observations: np.ndarray) -> np.ndarray:
        """Actions ``(batch, action_dim)`` for ``(batch, observation_dim)``; advances time by one step."""
        ...

    def needs_plan(self, observations: np.ndarray) -> np.ndarray:
        """Which rows could use a new plan, ``(batch,)`` bool."""
        ...

    def disagreement(self, observations: np.ndarray) -> np.ndarray:
        """How far, in environment units, each row is from where its plan has it; infinite where nothing is left."""
        ...


class PlannedActions:
    """Plays the planned actions back, open loop between plans; past the end of a plan it does nothing.

    Args:
        action_dim: numbers in an action.
    """

    followed_within = 0.05  # environment units from a plan that keeps its constraints within which it is not replaced

    def __init__(self, action_dim: int = 2) -> None:
        check_whole(0, action_dim=action_dim)
        self._nothing = np.zeros((0, action_dim), np.float32)

    def reset(self, goals: np.ndarray) -> None:
        """See :class:`Controller`."""
        self._plans: list[np.ndarray] = [self._nothing] * len(goals)
        # Where each planned action begins: what goals are about, or, without goals, the whole observation.
        self._places: list[np.ndarray] = [np.zeros((0, goals.shape[1]))] * len(goals)
        self._next = np.zeros(len(goals), dtype=np.int64)

    def restart(self, indices: np.ndarray, goals: np.ndarray) -> None:
        """See :class:`Controller`."""
        for index, goal in zip(indices, goals, strict=True):
            self._plans[index], self._places[index] = self._nothing, np.zeros((0, len(goal)))
        self._next[indices] = 0

    def follow(
        self, plan: Plan, *, indices: np.ndarray, observations: np.ndarray, delays: np.ndarray | None = None
    ) -> None:
        """See :class:`Controller`; each plan is there ``delays`` ``(len(indices),)`` steps later, and goes on there."""
        delays = np.zeros(len(indices), np.int64) if delays is None else delays
        for row, (index, delay) in enumerate(zip(indices.tolist(), delays.tolist(), strict=True)):
            width = self._places[index].shape[1] or observations.shape[1]
            num_steps, points = plan.num_steps[row], plan.observations[row, :, :width]
            start = observations[row, : points.shape[1]]
            along = steps_along(start[None], points[None], steps_per_point=plan.steps_per_point)[0]
            self._plans[index] = np.concatenate([self.upcoming(index, delay), plan.actions[row, delay:num_steps]])
            self._places[index] = np.concatenate([start[None], along])[:num_steps]
        self._next[indices] = 0

    def act(self, observations: np.ndarray) -> np.ndarray:
        """See :class:`Controller`."""
        actions = [self.upcoming(row, 1)[0] for row in range(len(self._plans))]
        self._next += 1
        return np.stack(actions)

    def upcoming(self, row: int, num_steps: int) -> np.ndarray:
        """What a row does from now on unless it gets another plan, ``(num_steps, action_dim)``."""
        left = self._plans[row][self._next[row] : self._next[row] + num_steps]
        return np.concatenate([left, np.zeros((num_steps - len(left), self._nothing.shape[1]), np.float32)])

    def needs_plan(self, observations: np.ndarray) -> np.ndarray:
        """Always: a plan's actions drift away from its states."""
        return np.ones(len(observations), dtype=bool)

    def disagreement(self, observations: np.ndarray) -> np.ndarray:
        """Distance between where the plan is at this step, interpolated between its points, and where the agent is."""
        found = np.full(len(observations), np.inf)
        for row, (places, step) in enumerate(zip(self._places, self._next, strict=True)):
            if step < len(places):
                found[row] = np.linalg.norm(observations[row, : places.shape[1]] - places[step])
        return found
