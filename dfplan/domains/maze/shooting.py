"""A controller that drives along the planned path as fast as it can be driven. Batched; no row depends on another."""

import numpy as np

from dfplan.domains.maze.path_tracker import PathTracker
from dfplan.types import Plan


class ShootingTracker(PathTracker):
    """Drives along the planned path as fast as the agent's own dynamics allow, then holds the goal.

    Its arguments are those of :class:`~dfplan.domains.maze.path_tracker.PathTracker`.
    """

    @property
    def followed_within(self) -> float:
        """Environment units from a plan that keeps its constraints within which it is not replaced."""
        return self.tube

    def restart(self, indices: np.ndarray, goals: np.ndarray) -> None:
        """See :class:`~dfplan.agent.controllers.Controller`."""
        for index, goal in zip(indices, goals, strict=True):
            self.drive_along(index, path=goal[None], goal=goal)

    def follow(self, plan: Plan, *, indices: np.ndarray, observations: np.ndarray) -> None:
        """See :class:`~dfplan.agent.controllers.Controller`."""
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
