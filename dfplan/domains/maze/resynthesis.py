"""Drives the ways of a dataset anew: faster than its collector did, and standing still at the goal."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from dfplan.errors import UserError
from dfplan.scorers.support import without_gaps
from dfplan.settings.resynthesis import ResynthesisSettings
from dfplan.types import DoubleIntegrator, Support, Trajectories


class PathDriver(Protocol):
    """Drives a batch of point masses along paths and holds their ends."""

    def reset(self, goals: np.ndarray) -> None:
        """Begin with goals ``(batch, goal_dim)``."""
        ...

    def drive_along(self, index: int, *, path: np.ndarray, goal: np.ndarray) -> None:
        """Send one row along ``path`` ``(points, goal_dim)`` to ``goal`` ``(goal_dim,)``."""
        ...

    def act(self, observations: np.ndarray) -> np.ndarray:
        """Actions ``(batch, action_dim)`` in [-1, 1]."""
        ...


def resynthesise(
    trajectories: Trajectories,
    driver: PathDriver,
    settings: ResynthesisSettings,
    *,
    dynamics: DoubleIntegrator,
    support: Support,
    seed: int,
    goal_radius: float = 0.5,
    num_drivers: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Trajectories:
    """Imagine how the ways in a dataset could have been driven, with the dynamics that were measured on it.

    Every leg follows what the collector drove towards one of its goals, or a part of it, from wherever the last leg
    ended, then stands at its end for a while; the next leg goes on from there. The state moves as the point mass says,
    and stops where it would leave the positions that the data visited. A leg that takes much longer than the collector
    did is thrown away, and the driver begins anew where a random way of the data begins. The segments of the result are
    the legs.

    Args:
        trajectories: the data; observations are positions followed by velocities.
        driver: drives along a path.
        settings: how much is imagined, before legs are thrown away, how long is stood, and after which share of
            finished legs the driver is put somewhere beside its goal and drives back: what it does there decides
            whether a planner holds its goal, and arriving shows little of it.
        dynamics: how actions move the agent.
        support: which positions the data visited.
        seed: of all that is drawn.
        goal_radius: distance that counts as being at the goal.
        num_drivers: driven side by side; they share nothing. None is as many as drive 1,000 rows each, at most 256.
        on_progress: called as ``on_progress(done, total)``.

    Raises:
        UserError: no leg came through.
    """
    support = without_gaps(support)
    legs = _Legs(
        trajectories,
        driver,
        settings,
        generator=np.random.default_rng(seed),
        returns=_Returns(support, reach=1.5 * goal_radius, max_speed=dynamics.max_speed),
    )
    num_steps = settings.num_steps
    num_drivers = num_drivers or min(max(1, num_steps // 1000), 256)
    state = legs.begin(num_drivers)
    dim, rounds = trajectories.actions.shape[1], -(-num_steps // num_drivers)
    observations = np.zeros((num_drivers, rounds, 2 * dim), np.float32)
    actions = np.zeros((num_drivers, rounds, dim), np.float32)
    number = np.zeros((num_drivers, rounds), np.int64)
    for now in range(rounds):
        action = np.clip(driver.act(state) + legs.draw_noise(), -1, 1)
        observations[:, now], actions[:, now], number[:, now] = state, action, legs.number
        state = _step(state, action, dynamics=dynamics, support=support)
        at_goal = np.linalg.norm(state[:, :dim] - legs.goals, axis=1) <= goal_radius
        state = legs.go_along(now, state, at_goal=at_goal, inside=support.contains(state[:, :dim]))
        if on_progress is not None:
            on_progress(min((now + 1) * num_drivers, num_steps), num_steps)
    return _collect(observations, actions, number, legs, source=f"{trajectories.source}, resynthesised")


def _step(state: np.ndarray, action: np.ndarray, *, dynamics: DoubleIntegrator, support: Support) -> np.ndarray:
    """States ``(batch, 2 * dim)`` one step later; no axis moves out of the positions that the data visited.

    What stops the agent there may be a wall, along which it slides, as the robot does that the data are of.
    """
    dim = action.shape[1]
    velocity = dynamics.decay * state[:, dim:] + dynamics.gain * action
    velocity = np.clip(velocity, -dynamics.max_speed, dynamics.max_speed)
    position = state[:, :dim].copy()
    for axis in range(dim):
        position[:, axis] += dynamics.step * velocity[:, axis]
        stopped = ~support.contains(position)
        position[stopped, axis] = state[stopped, axis]
        velocity[stopped, axis] = 0
    return np.concatenate([position, velocity], axis=1)


@dataclass(frozen=True)
class _Returns:
    """From where drivers that have arrived are sent back to their goals: anywhere visited within ``reach`` of them."""

    support: Support
    reach: float
    max_speed: float

    _TRIALS = 8  # places drawn, of which the first visited one is taken
    _SPEEDS = (0.0, 0.06, 0.3)  # standard deviations per axis, as shares of the largest speed; one is drawn

    def draw(self, goal: np.ndarray, *, generator: np.random.Generator) -> np.ndarray:
        """A state ``(2 * dim,)`` beside the goal ``(dim,)``."""
        positions = goal + generator.uniform(-self.reach, self.reach, size=(self._TRIALS, len(goal)))
        visited = positions[self.support.contains(positions)]
        velocity = generator.normal(size=len(goal)) * generator.choice(self._SPEEDS) * self.max_speed
        return np.concatenate([visited[0] if len(visited) else goal, velocity])


class _Legs:
    """Which leg each driver is on, where it leads, and which legs ended well.

    Attributes:
        goals: ``(drivers, dim)``.
        number: ``(drivers,)`` of the legs under way; every leg has a number of its own.
        finished: numbers of the legs that ended well.
        fresh: numbers of the legs that began at a row of the data and not where the leg before ended.
    """

    _SHORTEST = 16  # rows of a leg
    _STRIDE = 4  # rows between two points of a path
    _WHOLE = 0.8  # share of legs that lead all the way to the collector's goal; the others stop somewhere before
    _PATIENCE = 64  # steps beyond the collector's own time after which a leg is given up

    def __init__(
        self,
        data: Trajectories,
        driver: PathDriver,
        settings: ResynthesisSettings,
        *,
        generator: np.random.Generator,
        returns: _Returns,
    ) -> None:
        self.data, self.driver, self.settings = data, driver, settings
        self.generator, self.returns = generator, returns
        rows = len(data)
        self._last_row = np.repeat(data.starts[1:] - 1, np.diff(data.starts))
        ends = np.where(data.segment_ends, np.arange(rows), rows)
        self._segment_end = np.minimum(np.minimum.accumulate(ends[::-1])[::-1], self._last_row)
        begins = np.concatenate([data.starts[:-1], np.flatnonzero(data.segment_ends[:-1]) + 1])
        self._starts = np.unique(begins[self._segment_end[begins] - begins >= self._SHORTEST])
        self.finished: set[int] = set()
        self.fresh: set[int] = set()

    def begin(self, count: int) -> np.ndarray:
        """Put every driver where some way of the data begins; returns their states ``(count, 2 * dim)``.

        Raises:
            UserError: no way in the data is long enough.
        """
        if not len(self._starts):
            raise UserError(f"no way in {self.data.source} is {self._SHORTEST} steps long; none can be resynthesised")
        self.goals = np.zeros((count, self.data.actions.shape[1]))
        self.number, self._cursor, self._deadline, self._release = (np.full(count, -1) for _ in range(4))
        self._noise_level = np.zeros((count, 1))
        self._next_number = 0
        self.driver.reset(self.goals)
        return np.stack([self.restart(index, now=-1) for index in range(count)])

    def draw_noise(self) -> np.ndarray:
        """What is added to the actions of one step, ``(drivers, dim)``."""
        return self.generator.normal(size=self.goals.shape) * self._noise_level

    def go_along(self, now: int, state: np.ndarray, *, at_goal: np.ndarray, inside: np.ndarray) -> np.ndarray:
        """Send on whoever has come to the end of a leg, and bring back whoever is lost; returns all states."""
        done, lost = self.judge(now, at_goal=at_goal, inside=inside)
        for index in np.flatnonzero(done).tolist():
            state[index] = self.proceed(index, state[index], now=now)
        for index in np.flatnonzero(lost).tolist():
            state[index] = self.restart(index, now=now)
        return state

    def judge(self, now: int, *, at_goal: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which legs have ended well and which are lost, both ``(drivers,)`` bool, after step ``now``."""
        arriving = at_goal & (self._release < 0)
        shortest, longest = self.settings.shortest_hold, self.settings.longest_hold
        holds = self.generator.integers(shortest, longest, size=len(at_goal), endpoint=True)
        self._release = np.where(arriving, now + holds, self._release)
        arrived = self._release >= 0
        over = arrived & (now >= self._release)
        lost = ~inside | (~arrived & (now > self._deadline)) | (over & ~at_goal)
        done = over & ~lost
        self.finished.update(self.number[done].tolist())
        return done, lost

    def restart(self, index: int, *, now: int) -> np.ndarray:
        """Put a driver where some way of the data begins; returns its state."""
        self._cursor[index] = self._starts[self.generator.integers(len(self._starts))]
        state = self.data.observations[self._cursor[index]].astype(np.float64)
        self.go_on(index, state, now=now)
        self.fresh.add(int(self.number[index]))
        return state

    def proceed(self, index: int, state: np.ndarray, *, now: int) -> np.ndarray:
        """What comes after a finished leg: back to the same goal from beside it, or the next leg; returns the state."""
        if self.generator.random() >= self.settings.return_share:
            self.go_on(index, state, now=now)
            return state
        goal = self.goals[index].copy()
        state = self.returns.draw(goal, generator=self.generator)
        self.begin_leg(index, path=np.stack([state[: len(goal)], goal]), deadline=now + self._PATIENCE)
        self.fresh.add(int(self.number[index]))
        return state

    def go_on(self, index: int, state: np.ndarray, *, now: int) -> None:
        """Give a driver its next leg, from where it is, along what the collector drove next."""
        first = int(self._cursor[index])
        if self._segment_end[first] - first < self._SHORTEST:
            # After the last way of the data comes the first: the driver is not there, and that leg is lost.
            later = np.searchsorted(self._starts, self._segment_end[first] + 1)
            first = int(self._starts[later % len(self._starts)])
        end = int(self._segment_end[first])
        whole, part = self.generator.random() < self._WHOLE, self.generator.integers(first + self._SHORTEST, end + 1)
        last = end if whole else int(part)
        dim = self.goals.shape[1]
        path = self.data.observations[np.append(np.arange(first, last, self._STRIDE), last), :dim]
        path = np.concatenate([state[None, :dim], path]).astype(np.float64)
        self._cursor[index] = min(last + 1, len(self.data) - 1)
        self.begin_leg(index, path=path, deadline=now + (last - first) + self._PATIENCE)

    def begin_leg(self, index: int, *, path: np.ndarray, deadline: int) -> None:
        """Send a driver along ``path`` ``(points, dim)``, to arrive at its end by step ``deadline``."""
        self.goals[index] = path[-1]
        self.driver.drive_along(index, path=path, goal=path[-1])
        self._deadline[index], self._release[index] = deadline, -1
        self._noise_level[index] = self.generator.uniform(0, self.settings.noise)
        self.number[index] = self._next_number
        self._next_number += 1


def _collect(
    observations: np.ndarray, actions: np.ndarray, number: np.ndarray, legs: _Legs, *, source: str
) -> Trajectories:
    """Lay the finished legs end to end; a trajectory goes on as long as no leg was lost."""
    finished = np.isin(number, np.fromiter(legs.finished, np.int64)).ravel()
    if not finished.any():
        raise UserError(
            f"{source}: no leg reached its goal within {len(observations[0])} steps and the positions that the data "
            "visited; imagine more steps (resynthesis.num_steps), or train on the data as they are (resynthesis=none)"
        )
    kept = np.flatnonzero(finished)
    number = number.ravel()[kept]
    begins = np.append(True, number[1:] != number[:-1])
    anew = begins & (np.isin(number, np.fromiter(legs.fresh, np.int64)) | np.append(True, np.diff(kept) > 1))
    return Trajectories(
        observations=observations.reshape(-1, observations.shape[-1])[kept],
        actions=actions.reshape(-1, actions.shape[-1])[kept],
        starts=np.append(np.flatnonzero(anew), len(kept)),
        segment_ends=np.append(begins[1:], True),
        source=source,
    )
