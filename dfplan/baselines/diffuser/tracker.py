"""The tracker of Diffuser: a proportional-derivative law towards the next planned state."""

import numpy as np

from dfplan.scorers import steps_along
from dfplan.types import Plan


class StateTracker:
    """Acts by ``(planned position - position) + (planned velocity - velocity)`` of the next planned state.

    When the plan is over, its last state, at rest, is what is tracked. The planned actions are not used. A
    :class:`~dfplan.agent.controllers.Controller` (jannerm/diffuser, branch maze2d, ``scripts/plan_maze2d.py``).
    """

    def reset(self, goals: np.ndarray) -> None:
        """Begin new episodes with goals ``(batch, goal_dim)``."""
        self._goal_dim = goals.shape[1]
        self._states: list[np.ndarray | None] = [None] * len(goals)
        self._step = np.zeros(len(goals), dtype=np.int64)

    def restart(self, indices: np.ndarray, goals: np.ndarray) -> None:
        """Begin new episodes for the rows ``indices`` alone."""
        for index in indices:
            self._states[index] = None

    def follow(self, plan: Plan, *, indices: np.ndarray, observations: np.ndarray) -> None:
        """Take new plans for the rows ``indices``; between planned states, the state changes linearly."""
        for row, index in enumerate(indices):
            points = plan.observations[row : row + 1, : plan.num_steps[row] // plan.steps_per_point]
            start = observations[row : row + 1]
            self._states[index] = steps_along(start, points, steps_per_point=plan.steps_per_point)[0]
        self._step[indices] = 0

    def act(self, observations: np.ndarray) -> np.ndarray:
        """Actions ``(batch, action_dim)`` in [-1, 1]; zeros for a row without a plan. Advances time by one step."""
        error = np.stack([self._target(row, each) for row, each in enumerate(observations)]) - observations
        self._step += 1
        actions = error[:, : self._goal_dim] + error[:, self._goal_dim :]
        return actions.clip(-1, 1).astype(np.float32)

    def _target(self, row: int, observation: np.ndarray) -> np.ndarray:
        states, step = self._states[row], self._step[row]
        if states is None:
            return observation
        if step < len(states):
            return states[step]
        return np.concatenate([states[-1, : self._goal_dim], np.zeros(states.shape[1] - self._goal_dim)])

    def needs_plan(self, observations: np.ndarray) -> np.ndarray:
        """Always."""
        return np.ones(len(observations), dtype=bool)

    def disagreement(self, observations: np.ndarray) -> np.ndarray:
        """Distance from where the plan is at the next step; infinite where it is over."""
        found = np.full(len(observations), np.inf)
        for row, (states, step) in enumerate(zip(self._states, self._step, strict=True)):
            if states is not None and step < len(states):
                found[row] = np.linalg.norm((states[step] - observations[row])[: self._goal_dim])
        return found
