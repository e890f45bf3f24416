"""Drives along paths as fast as the agent's own dynamics and what must be kept allow. Batched; no row knows another."""

from collections.abc import Sequence
from types import NoneType

import numpy as np

from dfplan.arrays import as_number, check_whole
from dfplan.errors import UserError, check_kind
from dfplan.planner.constraints import Constraints
from dfplan.types import DoubleIntegrator, Support

_LONGEST_PATH = 100_000.0  # environment units; ten points each


class PathTracker:
    """Sends point masses along paths, one a row, and holds the ends.

    Every step it simulates a small set of manoeuvres with the point mass that was measured on the data (two constant
    actions, one after the other), and takes the first action of the one that gets farthest along the path without
    leaving a tube around it, nor what it must keep, nor, where it is told them, the positions that the data visited.
    Inside the goal disc a proportional-derivative law holds the goal. It knows no walls; it trusts the path.

    Args:
        dynamics: how actions move the agent.
        goal_radius: distance that counts as being at the goal.
        support: which positions the data visited, or None.
        tube: how far from the path, in environment units, driving costs nothing.
        lookahead: steps simulated.
        switch: steps after which the second action of a manoeuvre begins.
        stride: simulated steps between two looks at the tube.
        strange: what a position that the data never visited counts as, in units outside the tube.
        constraints: regions and speed limit to keep while driving; way-points are kept by ``stops`` of the path.
    """

    def __init__(
        self,
        dynamics: DoubleIntegrator,
        *,
        goal_radius: float,
        support: Support | None = None,
        tube: float = 0.25,
        lookahead: int = 32,
        switch: int = 8,
        stride: int = 4,
        strange: float = 0.25,
        constraints: Constraints | None = None,
    ) -> None:
        check_kind(DoubleIntegrator, such_as="a DoubleIntegrator, as model.dynamics", dynamics=dynamics)
        check_kind((Support, NoneType), such_as="a Support, as model.support, or None", support=support)
        check_kind((Constraints, NoneType), such_as="dfplan.Constraints, or None", constraints=constraints)
        check_whole(1, lookahead=lookahead, switch=switch, stride=stride)
        for name, value in {"goal_radius": goal_radius, "tube": tube, "strange": strange}.items():
            if not 0 < as_number(value) < np.inf:
                raise UserError(f"{name} must be above 0; got {value!r:.60}")
        self.dynamics = dynamics
        self.goal_radius = goal_radius
        self.support = support
        self.tube = tube
        self.lookahead = lookahead
        self.switch = switch
        self.stride = stride
        self.strange = strange
        self.constraints = constraints or Constraints()
        # A critically damped spring that the full action can hold over the goal disc.
        stiffness = 1.0 / (0.5 * goal_radius)
        acceleration = dynamics.gain / dynamics.step
        self._spring = stiffness
        self._damper = 2 * np.sqrt(stiffness * acceleration) / acceleration
        directions = np.array([(x, y) for x in (-1.0, 0.0, 1.0) for y in (-1.0, 0.0, 1.0)])
        first, second = np.divmod(np.arange(81), 9)
        self._first, self._second = directions[first], directions[second]

    _SPACING = 0.1  # of the points a path is resampled at, in environment units
    _LOCAL = 40  # path points ahead that a manoeuvre is compared with: 4 units, more than the lookahead can reach
    _FORBIDDEN = 10.0  # what a position that breaks a constraint counts as, in units outside the tube, and its depth
    _CLEAR = 0.05  # environment units kept from what is forbidden: between two looks a chord cuts its edge by less
    _FULL = 0.98  # share of a speed limit that is driven
    _REACH = 1.0  # environment units that holding the goal never leaves its disc by
    _PASS = 0.4  # share of the goal radius within which a stop must be passed

    def reset(self, goals: np.ndarray) -> None:
        """Begin with goals ``(batch, 2)``, and no path but to them."""
        self._goals = np.array(goals, dtype=np.float64)
        self._paths: list[np.ndarray] = [goal[None] for goal in self._goals]
        self._progress = np.zeros(len(goals), dtype=np.int64)
        # Points of its path, in order, that each row has yet to pass nearby.
        self._stops: list[list[int]] = [[] for _ in self._goals]
        # Where on its path, as a fractional point, the plan has each row, one entry a step.
        self._due: list[np.ndarray] = [np.zeros(1) for _ in self._goals]
        self._elapsed = np.zeros(len(goals), dtype=np.int64)

    def drive_along(
        self,
        index: int,
        *,
        path: np.ndarray,
        goal: np.ndarray,
        steps_per_point: int | None = None,
        stops: Sequence[int] = (),
    ) -> None:
        """Send one row along ``path`` ``(points, 2)`` from where it is, and make ``goal`` ``(2,)`` what it holds.

        Its points are due ``steps_per_point`` steps apart; None is whenever. The points with the numbers ``stops`` are
        passed nearby before the path goes on, also where it comes back the same way.
        """
        self._goals[index] = goal
        self._paths[index] = resample(path, spacing=self._SPACING)
        lengths, last = arc_lengths(path), len(self._paths[index]) - 1
        self._stops[index] = [round(last * lengths[stop] / max(lengths[-1], 1e-9)) for stop in stops]
        self._progress[index] = self._elapsed[index] = 0
        self._due[index] = np.zeros(1)
        if steps_per_point is not None:
            share = np.cumsum(np.linalg.norm(np.diff(path, axis=0, prepend=path[:1]), axis=1))
            share *= (len(self._paths[index]) - 1) / max(share[-1], 1e-9)
            steps = np.arange(steps_per_point * (len(path) - 1) + 1)
            self._due[index] = np.interp(steps / steps_per_point, np.arange(len(path)), share)

    def is_driving(self, observations: np.ndarray) -> np.ndarray:
        """Rows outside their goal disc, or with stops to pass."""
        has_stops = np.array([bool(stops) for stops in self._stops], dtype=bool)
        return has_stops | (np.linalg.norm(observations[:, :2] - self._goals, axis=1) > self.goal_radius)

    def act(self, observations: np.ndarray) -> np.ndarray:
        """Actions ``(batch, 2)`` float32 in [-1, 1] for observations ``(batch, 4)``; advances time by one step."""
        self._elapsed += 1
        return self.within_limit(observations[:, 2:].astype(np.float64), self.choose(observations)).astype(np.float32)

    def choose(self, observations: np.ndarray) -> np.ndarray:
        """What :meth:`act` would do without a speed limit, ``(batch, 2)``."""
        position, velocity = observations[:, :2].astype(np.float64), observations[:, 2:].astype(np.float64)
        actions = np.clip(self._spring * (self._goals - position) - self._damper * velocity, -1, 1)
        driving = self.is_driving(observations)
        if (self.constraints.keep_out or self.constraints.keep_in) and not driving.all():
            driving[~driving] = ~self._holds_safely(position[~driving], velocity[~driving], self._goals[~driving])
        driving = np.flatnonzero(driving)
        if len(driving):
            actions[driving] = self._drive(position[driving], velocity[driving], driving)
        return actions

    def _drive(self, position: np.ndarray, velocity: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """First action of the best manoeuvre for each of ``rows``."""
        path = np.stack([self._ahead(row, position[index]) for index, row in enumerate(rows)])
        visited = self._simulate(position, velocity)
        squared = _squared_distances(visited - position[:, None, None], path - position[:, None])
        nearest = squared.argmin(axis=-1)
        off_path = np.sqrt(np.take_along_axis(squared, nearest[..., None], axis=-1)[..., 0])
        outside = np.maximum(off_path - self.tube, 0)
        if self.support is not None:
            outside += self.strange * ~self.support.contains(visited)
        if self.constraints.keep_out or self.constraints.keep_in:
            depth = np.maximum(self._CLEAR - self.constraints.clearance(visited), 0)
            outside += self._FORBIDDEN * ((depth > 0) + depth)
        # Progress counts at every look, or a manoeuvre that idles first and hurries later would be chosen for ever. At
        # the end of the path progress saturates; nearness to its last point takes over.
        reached = nearest * self._SPACING
        remaining = np.sqrt(squared[..., -1])
        score = (reached - 0.05 * remaining).sum(axis=1) - 20 * outside.sum(axis=1)
        return self._first[score.argmax(axis=1)]

    def _ahead(self, row: int, position: np.ndarray) -> np.ndarray:
        """The next ``_LOCAL`` points of a row's path, no farther than its next stop; advances its progress."""
        path, stops = self._paths[row], self._stops[row]
        while stops and np.linalg.norm(path[stops[0]] - position) <= self._PASS * self.goal_radius:
            self._progress[row] = max(self._progress[row], stops.pop(0))
        if stops:
            path = path[: stops[0] + 1]
        first = self._progress[row]
        local = path[first : first + self._LOCAL]
        self._progress[row] = first + int(((local - position) ** 2).sum(axis=1).argmin())
        local = path[self._progress[row] : self._progress[row] + self._LOCAL]
        return np.concatenate([local, np.repeat(local[-1:], self._LOCAL - len(local), axis=0)])

    def _simulate(self, position: np.ndarray, velocity: np.ndarray) -> np.ndarray:
        """Positions ``(batch, looks, manoeuvres, 2)`` every ``stride`` steps of every manoeuvre."""
        mass = self.dynamics
        position, velocity = (np.repeat(each[:, None], len(self._first), axis=1) for each in (position, velocity))
        visited = []
        if self.constraints.max_speed is not None:
            # A look at a time, an action for each: where a limit binds, the way is that of the mean acceleration.
            for step in range(0, self.lookahead, self.stride):
                action = self._first if step < self.switch else self._second
                action = self.within_limit(velocity, action, steps=self.stride)
                position, velocity = self._after(position, velocity, action, steps=self.stride)
                visited.append(position)
            return np.stack(visited, axis=1)
        for step in range(self.lookahead):
            push = mass.gain * (self._first if step < self.switch else self._second)
            velocity = np.clip(mass.decay * velocity + push, -mass.max_speed, mass.max_speed)
            position = position + mass.step * velocity
            if (step + 1) % self.stride == 0:
                visited.append(position)
        return np.stack(visited, axis=1)

    def _after(
        self, position: np.ndarray, velocity: np.ndarray, action: np.ndarray, *, steps: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Position and velocity ``(..., 2)`` after some steps of one action, in closed form."""
        mass, decays = self.dynamics, self.dynamics.decay ** np.arange(1, steps + 1)
        gains = mass.gain * (1 - decays) / (1 - mass.decay)
        position = position + mass.step * (decays.sum() * velocity + gains.sum() * action)
        return position, np.clip(decays[-1] * velocity + gains[-1] * action, -mass.max_speed, mass.max_speed)

    def within_limit(self, velocity: np.ndarray, action: np.ndarray, *, steps: int = 1) -> np.ndarray:
        """The action ``(..., 2)`` itself, or what keeps the speed it leads to after some steps below the limit."""
        if self.constraints.max_speed is None:
            return action
        mass, decay = self.dynamics, self.dynamics.decay**steps
        gain = mass.gain * (1 - decay) / (1 - mass.decay)
        kept = decay * velocity
        after = kept + gain * action
        limit = self._FULL * self.constraints.max_speed
        speed = np.sqrt((after**2).sum(axis=-1, keepdims=True))
        return np.clip((after * (limit / np.maximum(speed, limit)) - kept) / gain, -1, 1)

    def _holds_safely(self, position: np.ndarray, velocity: np.ndarray, goals: np.ndarray) -> np.ndarray:
        """Whether the law that holds the goal breaks no constraint on its way, ``(batch,)`` bool."""
        mass, safe = self.dynamics, np.ones(len(position), dtype=bool)
        if (self.constraints.clearance(goals) > self.goal_radius + self._REACH).all():
            return safe
        for _ in range(self.lookahead):
            action = np.clip(self._spring * (goals - position) - self._damper * velocity, -1, 1)
            velocity = mass.decay * velocity + mass.gain * self.within_limit(velocity, action)
            position = position + mass.step * velocity
            safe &= self.constraints.clearance(position) >= self._CLEAR
        return safe


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


def resample(knots: np.ndarray, *, spacing: float) -> np.ndarray:
    """Points about ``spacing`` apart along the polyline through ``knots`` ``(knots, 2)``, both ends included."""
    lengths = arc_lengths(knots)
    if not lengths[-1] <= _LONGEST_PATH:
        raise UserError(
            f"a planned path of {lengths[-1]:.4g} units is none; the weights are of no use: `dfplan verify`"
        )
    at = np.linspace(0, lengths[-1], max(2, int(np.ceil(lengths[-1] / spacing)) + 1))
    return np.stack([np.interp(at, lengths, knots[:, axis]) for axis in range(knots.shape[1])], axis=1)


def arc_lengths(knots: np.ndarray) -> np.ndarray:
    """Length of the polyline through ``knots`` ``(knots, dim)`` up to each of them, ``(knots,)``."""
    return np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(knots, axis=0), axis=1))])
