"""How a plan becomes motion: its own actions, or pursuit of its path. Batched; no row depends on another."""

from typing import Protocol

import numpy as np

from dfplan.errors import UserError
from dfplan.planner.ranking import steps_along
from dfplan.types import Plan, PointMass, PositionSupport

_LONGEST_PATH = 100_000.0  # environment units; ten points each


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
    """Plays the planned actions back, open loop between plans; past the end of a plan it does nothing."""

    def reset(self, goals: np.ndarray) -> None:
        """See :class:`Controller`."""
        self._plans: list[np.ndarray] = [np.zeros((0, 2), np.float32)] * len(goals)
        # Where each planned action begins, a position an action.
        self._positions: list[np.ndarray] = [np.zeros((0, goals.shape[1]))] * len(goals)
        self._next = np.zeros(len(goals), dtype=np.int64)

    def restart(self, indices: np.ndarray, goals: np.ndarray) -> None:
        """See :class:`Controller`."""
        for index, goal in zip(indices, goals, strict=True):
            self._plans[index], self._positions[index] = np.zeros((0, 2), np.float32), np.zeros((0, len(goal)))
        self._next[indices] = 0

    def follow(self, plan: Plan, *, indices: np.ndarray, observations: np.ndarray) -> None:
        """See :class:`Controller`."""
        for row, index in enumerate(indices):
            num_steps, points = plan.num_steps[row], plan.observations[row, :, : self._positions[index].shape[1]]
            start = observations[row, : points.shape[1]]
            along = steps_along(start[None], points[None], steps_per_point=plan.steps_per_point)[0]
            self._plans[index] = plan.actions[row, :num_steps]
            self._positions[index] = np.concatenate([start[None], along])[:num_steps]
        self._next[indices] = 0

    def act(self, observations: np.ndarray) -> np.ndarray:
        """See :class:`Controller`."""
        rows = zip(self._plans, self._next, strict=True)
        actions = [plan[step] if step < len(plan) else np.zeros(2, np.float32) for plan, step in rows]
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


class Pursuit:
    """Drives along the planned path as fast as the agent's own dynamics allow, then holds the goal.

    Every step it simulates a small set of manoeuvres with the point mass that was measured on the data (two constant
    actions, one after the other), and takes the first action of the one that gets farthest along the path without
    leaving a tube around it, nor, where it is told them, the positions that the data visited. Inside the goal disc a
    proportional-derivative law holds the goal. It knows no walls; it trusts the path.

    Args:
        point_mass: how actions move the agent.
        goal_radius: distance that counts as being at the goal.
        support: which positions the data visited, or None.
        tube: how far from the path, in environment units, driving costs nothing.
        lookahead: steps simulated.
        switch: steps after which the second action of a manoeuvre begins.
        stride: simulated steps between two looks at the tube.
    """

    def __init__(
        self,
        point_mass: PointMass,
        *,
        goal_radius: float,
        support: PositionSupport | None = None,
        tube: float = 0.25,
        lookahead: int = 32,
        switch: int = 8,
        stride: int = 4,
    ) -> None:
        self.point_mass = point_mass
        self.goal_radius = goal_radius
        self.support = support
        self.tube = tube
        self.lookahead = lookahead
        self.switch = switch
        self.stride = stride
        # A critically damped spring that the full action can hold over the goal disc.
        stiffness = 1.0 / (0.5 * goal_radius)
        acceleration = point_mass.gain / point_mass.step
        self._spring = stiffness
        self._damper = 2 * np.sqrt(stiffness * acceleration) / acceleration
        directions = np.array([(x, y) for x in (-1.0, 0.0, 1.0) for y in (-1.0, 0.0, 1.0)])
        first, second = np.divmod(np.arange(81), 9)
        self._first, self._second = directions[first], directions[second]

    _SPACING = 0.1  # of the points a path is resampled at, in environment units
    _STRANGE = 0.25  # what a position that the data never visited counts as, in units outside the tube
    _LOCAL = 40  # path points ahead that a manoeuvre is compared with: 4 units, more than the lookahead can reach

    def reset(self, goals: np.ndarray) -> None:
        """See :class:`Controller`."""
        self._goals = np.array(goals, dtype=np.float64)
        self._paths: list[np.ndarray] = [goal[None] for goal in self._goals]
        self._progress = np.zeros(len(goals), dtype=np.int64)
        # Where on its path, as a fractional point, the plan has each row, one entry a step.
        self._due: list[np.ndarray] = [np.zeros(1) for _ in self._goals]
        self._elapsed = np.zeros(len(goals), dtype=np.int64)

    def restart(self, indices: np.ndarray, goals: np.ndarray) -> None:
        """See :class:`Controller`."""
        for index, goal in zip(indices, goals, strict=True):
            self.drive_along(index, path=goal[None], goal=goal)

    def follow(self, plan: Plan, *, indices: np.ndarray, observations: np.ndarray) -> None:
        """See :class:`Controller`."""
        for row, index in enumerate(indices):
            last = -(-min(plan.arrival[row], plan.num_steps[row]) // plan.steps_per_point)
            knots = np.concatenate([observations[row, None, :2], plan.observations[row, :last, :2]])
            if plan.arrival[row] <= plan.num_steps[row]:
                knots = np.concatenate([knots, self._goals[index, None]])
            self.drive_along(index, path=knots, goal=self._goals[index], steps_per_point=plan.steps_per_point)

    def drive_along(
        self, index: int, *, path: np.ndarray, goal: np.ndarray, steps_per_point: int | None = None
    ) -> None:
        """Send one row along ``path`` ``(points, 2)`` from where it is, and make ``goal`` ``(2,)`` what it holds.

        Its points are due ``steps_per_point`` steps apart; None is whenever.
        """
        self._goals[index] = goal
        self._paths[index] = _resample(path, spacing=self._SPACING)
        self._progress[index] = self._elapsed[index] = 0
        self._due[index] = np.zeros(1)
        if steps_per_point is not None:
            share = np.cumsum(np.linalg.norm(np.diff(path, axis=0, prepend=path[:1]), axis=1))
            share *= (len(self._paths[index]) - 1) / max(share[-1], 1e-9)
            steps = np.arange(steps_per_point * (len(path) - 1) + 1)
            self._due[index] = np.interp(steps / steps_per_point, np.arange(len(path)), share)

    def needs_plan(self, observations: np.ndarray) -> np.ndarray:
        """Rows outside their goal disc."""
        return np.linalg.norm(observations[:, :2] - self._goals, axis=1) > self.goal_radius

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

    def act(self, observations: np.ndarray) -> np.ndarray:
        """See :class:`Controller`."""
        position, velocity = observations[:, :2].astype(np.float64), observations[:, 2:].astype(np.float64)
        actions = np.clip(self._spring * (self._goals - position) - self._damper * velocity, -1, 1)
        driving = np.flatnonzero(self.needs_plan(observations))
        if len(driving):
            actions[driving] = self._drive(position[driving], velocity[driving], driving)
        self._elapsed += 1
        return actions.astype(np.float32)

    def _drive(self, position: np.ndarray, velocity: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """First action of the best manoeuvre for each of ``rows``."""
        path = np.stack([self._ahead(row, position[index]) for index, row in enumerate(rows)])
        visited = self._simulate(position, velocity)
        squared = _squared_distances(visited - position[:, None, None], path - position[:, None])
        nearest = squared.argmin(axis=-1)
        off_path = np.sqrt(np.take_along_axis(squared, nearest[..., None], axis=-1)[..., 0])
        outside = np.maximum(off_path - self.tube, 0)
        if self.support is not None:
            outside += self._STRANGE * ~self.support.contains(visited)
        # Progress counts at every look, or a manoeuvre that idles first and hurries later would be chosen for ever. At
        # the end of the path progress saturates; nearness to its last point takes over.
        reached = nearest * self._SPACING
        remaining = np.sqrt(squared[..., -1])
        score = (reached - 0.05 * remaining).sum(axis=1) - 20 * outside.sum(axis=1)
        return self._first[score.argmax(axis=1)]

    def _ahead(self, row: int, position: np.ndarray) -> np.ndarray:
        """The next ``_LOCAL`` points of a row's path; advances its progress to the nearest of them."""
        path, first = self._paths[row], self._progress[row]
        local = path[first : first + self._LOCAL]
        self._progress[row] = first + int(((local - position) ** 2).sum(axis=1).argmin())
        local = path[self._progress[row] : self._progress[row] + self._LOCAL]
        return np.concatenate([local, np.repeat(local[-1:], self._LOCAL - len(local), axis=0)])

    def _simulate(self, position: np.ndarray, velocity: np.ndarray) -> np.ndarray:
        """Positions ``(batch, looks, manoeuvres, 2)`` every ``stride`` steps of every manoeuvre."""
        mass = self.point_mass
        position, velocity = (np.repeat(each[:, None], len(self._first), axis=1) for each in (position, velocity))
        visited = []
        for step in range(self.lookahead):
            push = mass.gain * (self._first if step < self.switch else self._second)
            velocity = np.clip(mass.decay * velocity + push, -mass.max_speed, mass.max_speed)
            position = position + mass.step * velocity
            if (step + 1) % self.stride == 0:
                visited.append(position)
        return np.stack(visited, axis=1)


def _squared_distances(positions: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Squared distances ``(batch, looks, manoeuvres, points)`` of ``(batch, looks, manoeuvres, 2)`` to every point.

    One matrix product in single precision, a quarter of the time of a sum of squares; coordinates should be small.
    """
    batch, looks, manoeuvres, _ = positions.shape
    left = np.empty((batch, looks * manoeuvres, 4), np.float32)
    left[..., :2] = positions.reshape(batch, -1, 2)
    left[..., 2], left[..., 3] = (left[..., :2] ** 2).sum(axis=-1), 1
    right = np.empty((batch, 4, points.shape[1]), np.float32)
    right[:, :2] = -2 * points.transpose(0, 2, 1)
    right[:, 2], right[:, 3] = 1, (points**2).sum(axis=-1)
    product = left @ right
    return np.maximum(product, 0, out=product).reshape(batch, looks, manoeuvres, -1)


def _resample(knots: np.ndarray, *, spacing: float) -> np.ndarray:
    """Points ``spacing`` apart along the polyline through ``knots`` ``(knots, 2)``, both ends included."""
    lengths = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(knots, axis=0), axis=1))])
    if not lengths[-1] <= _LONGEST_PATH:
        raise UserError(
            f"a planned path of {lengths[-1]:.4g} units is none; the weights are of no use: `dfplan verify`"
        )
    at = np.linspace(0, lengths[-1], max(2, int(np.ceil(lengths[-1] / spacing)) + 1))
    return np.stack([np.interp(at, lengths, knots[:, axis]) for axis in range(knots.shape[1])], axis=1)
