"""How a plan becomes motion: its own actions, or pursuit of its path. Batched; no row depends on another."""

from typing import Protocol

import numpy as np

from dfplan.planner.path_tracker import PathTracker
from dfplan.scorers import steps_along
from dfplan.types import Plan


class Controller(Protocol):
    """Turns plans into actions for a batch of environments."""

    def reset(self, goals: np.ndarray) -> None:
        """Begin new episodes with goals ``(batch, position_dim)``."""
        ...

    def restart(self, indices: np.ndarray, goals: np.ndarray) -> None:
        """Begin new episodes for the rows ``indices`` alone, with goals ``(len(indices), position_dim)``."""
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
        self._nothing = np.zeros((0, action_dim), np.float32)

    def reset(self, goals: np.ndarray) -> None:
        """See :class:`Controller`."""
        self._plans: list[np.ndarray] = [self._nothing] * len(goals)
        # Where each planned action begins: what goals are about, or, without goals, the whole observation.
        self._positions: list[np.ndarray] = [np.zeros((0, goals.shape[1]))] * len(goals)
        self._next = np.zeros(len(goals), dtype=np.int64)

    def restart(self, indices: np.ndarray, goals: np.ndarray) -> None:
        """See :class:`Controller`."""
        for index, goal in zip(indices, goals, strict=True):
            self._plans[index], self._positions[index] = self._nothing, np.zeros((0, len(goal)))
        self._next[indices] = 0

    def follow(self, plan: Plan, *, indices: np.ndarray, observations: np.ndarray) -> None:
        """See :class:`Controller`."""
        for row, index in enumerate(indices):
            width = self._positions[index].shape[1] or observations.shape[1]
            num_steps, points = plan.num_steps[row], plan.observations[row, :, :width]
            start = observations[row, : points.shape[1]]
            along = steps_along(start[None], points[None], steps_per_point=plan.steps_per_point)[0]
            self._plans[index] = plan.actions[row, :num_steps]
            self._positions[index] = np.concatenate([start[None], along])[:num_steps]
        self._next[indices] = 0

    def act(self, observations: np.ndarray) -> np.ndarray:
        """See :class:`Controller`."""
        rows = zip(self._plans, self._next, strict=True)
        idle = np.zeros(self._nothing.shape[1], np.float32)
        actions = [plan[step] if step < len(plan) else idle for plan, step in rows]
        self._next += 1
        return np.stack(actions)

    def needs_plan(self, observations: np.ndarray) -> np.ndarray:
        """Always: a plan's actions drift away from its states."""
        return np.ones(len(observations), dtype=bool)

    def disagreement(self, observations: np.ndarray) -> np.ndarray:
        """Distance between where the plan is at this step, interpolated between its points, and where the agent is."""
        found = np.full(len(observations), np.inf)
        for row, (positions, step) in enumerate(zip(self._positions, self._next, strict=True)):
            if step < len(positions):
                found[row] = np.linalg.norm(observations[row, : positions.shape[1]] - positions[step])
        return found


class Pursuit(PathTracker):
    """Drives along the planned path as fast as the agent's own dynamics allow, then holds the goal.

    Its arguments are those of :class:`~dfplan.planner.path_tracker.PathTracker`.
    """

    @property
    def followed_within(self) -> float:
        """Environment units from a plan that keeps its constraints within which it is not replaced."""
        return self.tube

    def restart(self, indices: np.ndarray, goals: np.ndarray) -> None:
        """See :class:`Controller`."""
        for index, goal in zip(indices, goals, strict=True):
            self.drive_along(index, path=goal[None], goal=goal)

    def follow(self, plan: Plan, *, indices: np.ndarray, observations: np.ndarray) -> None:
        """See :class:`Controller`."""
        for row, index in enumerate(indices):
            last = -(-min(plan.arrival[row], plan.num_steps[row]) // plan.steps_per_point)
            knots = np.concatenate([observations[row, None, :2], plan.observations[row, :last, :2]])
            stops = self._stops_of(plan, row, knots)
            if plan.arrival[row] <= plan.num_steps[row]:
                knots = np.concatenate([knots, self._goals[index, None]])
            self.drive_along(
                index, path=knots, goal=self._goals[index], steps_per_point=plan.steps_per_point, stops=stops
            )

    def _stops_of(self, plan: Plan, row: int, knots: np.ndarray) -> list[int]:
        """Which ``knots`` of a plan come nearest to the way-points that it passes, in their order."""
        if plan.verdict is None:
            return []
        stops = []
        for place, step in zip(self.constraints.waypoints, plan.verdict.passes[row].tolist(), strict=True):
            first = step // plan.steps_per_point
            if step > 0 and first < len(knots):
                gaps = np.linalg.norm(knots[first:] - np.asarray(place), axis=1)
                leaving = np.append(np.flatnonzero(gaps[1:] > self.goal_radius) + 1, len(gaps))[0]
                stops.append(first + int(gaps[:leaving].argmin()))
        return sorted(stops)

    def needs_plan(self, observations: np.ndarray) -> np.ndarray:
        """Rows outside their goal disc, or with way-points to pass."""
        return self.is_driving(observations)

    def disagreement(self, observations: np.ndarray) -> np.ndarray:
        """Distance from the part of the path that is yet to be driven: being ahead of the plan is no disagreement.

        Infinite at the end of a path that stops short of the goal.
        """
        found = np.empty(len(observations))
        for row, path in enumerate(self._paths):
            due = int(self._due[row][min(self._elapsed[row], len(self._due[row]) - 1)])
            first = max(due, self._progress[row])
            found[row] = np.linalg.norm(path[first : first + self._LOCAL] - observations[row, :2], axis=1).min()
            stops_short = np.linalg.norm(path[-1] - self._goals[row]) > self.goal_radius
            if stops_short and self._progress[row] == len(path) - 1:
                found[row] = np.inf
        return found
