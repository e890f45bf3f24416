"""Mends planned paths, out of what is forbidden and onto visited positions, and drives them in imagination."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dfplan.domains.maze.path_tracker import PathTracker, resample
from dfplan.types import DoubleIntegrator, Support

HOLD = 64  # steps that the goal is held at the end of imagined driving
HELD = 2  # steps for which imagined driving keeps a choice: half the cost, hardly another way
SPACING = 0.05  # environment units between the points of a path that are looked at
NUM_SWEEPS = 3  # times that points are moved: between two that were moved, the path may cut a corner
LEAP = 1.5  # cells between neighbours of a mended path: to a diagonal one, but not over what is forbidden


@dataclass(frozen=True)
class Mender:
    """Moves paths to allowed positions.

    Attributes:
        allowed: visited positions that are clear of what is forbidden.
    """

    allowed: Support

    def mend(self, path: np.ndarray) -> np.ndarray | None:
        """The path ``(points, dim)``, its points in forbidden cells moved to the nearest allowed ones.

        Returns:
            Points ``(points, dim)`` closer together; None where the path cannot be mended locally: what is forbidden
            still lies between two of its points.
        """
        if not len(self._centers):
            return None
        points = resample(path, spacing=SPACING)
        for _ in range(NUM_SWEEPS):
            moved, gaps = self.nearest(points)
            if gaps.max() == 0:
                return points
            points = resample(moved, spacing=SPACING)
        moved, _ = self.nearest(points)
        jumps = np.linalg.norm(np.diff(moved, axis=0), axis=1)
        return moved if jumps.max() <= SPACING + LEAP * self.allowed.cell else None

    def nearest(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points ``(points, dim)`` where allowed, else the centre of the nearest allowed cell; and how far that is."""
        outside = ~self.allowed.contains(points)
        moved, gaps = points.copy(), np.zeros(len(points))
        if outside.any():
            squared = ((points[outside, None] - self._centers) ** 2).sum(axis=-1)
            moved[outside] = self._centers[squared.argmin(axis=1)]
            gaps[outside] = np.sqrt(squared.min(axis=1))
        return moved, gaps

    @cached_property
    def _centers(self) -> np.ndarray:
        """Centres of the allowed cells ``(cells, dim)``."""
        return self.allowed.origin + self.allowed.cell * (np.argwhere(self.allowed.visited) + 0.5)


@dataclass(frozen=True)
class Drive:
    """What driving along paths in imagination gave.

    Attributes:
        states: ``(batch, steps + 1, 2 * dim)``, the start first.
        actions: ``(batch, steps, dim)`` float32.
        num_steps: ``(batch,)`` steps until the goal was reached and held for a while, or all of them.
    """

    states: np.ndarray
    actions: np.ndarray
    num_steps: np.ndarray


@dataclass(frozen=True)
class Course:
    """A path to drive.

    Attributes:
        path: ``(points, dim)`` positions, the first where it begins.
        stops: numbers of the points that are way-points, in order.
        goal: ``(dim,)``.
    """

    path: np.ndarray
    stops: Sequence[int]
    goal: np.ndarray


def imagine(
    tracker: PathTracker,
    states: np.ndarray,
    courses: Sequence[Course],
    *,
    dynamics: DoubleIntegrator,
    num_steps: int,
    committed: Sequence[np.ndarray] | None = None,
) -> Drive:
    """Drive paths as the fitted point mass moves, until the last has reached its goal and held it for a while.

    Args:
        tracker: drives.
        states: ``(batch, 2 * dim)`` to begin in.
        courses: one a row.
        dynamics: how actions move the agent.
        num_steps: most steps.
        committed: per row ``(steps, dim)`` actions that come first, whatever the tracker says.
    """
    dim = states.shape[1] // 2
    goals = np.stack([course.goal for course in courses])
    tracker.reset(goals)
    for index, course in enumerate(courses):
        tracker.drive_along(index, path=course.path, goal=course.goal, stops=course.stops)
    state = states.astype(np.float64)
    visited, played, reached = [state], [], np.full(len(states), num_steps)
    chosen = np.zeros((len(states), dim))
    for step in range(num_steps):
        if step % HELD == 0:
            chosen = tracker.choose(state)
        action = tracker.within_limit(state[:, dim:], chosen)
        for row, given in enumerate(committed or ()):
            if step < len(given):
                action[row] = given[step]
        state = step_of(state, action, dynamics=dynamics)
        visited.append(state)
        played.append(action)
        reached = np.where(~tracker.is_driving(state), np.minimum(reached, step + 1), reached)
        if step + 1 >= reached.max() + HOLD:
            break
    return Drive(
        states=np.stack(visited, axis=1),
        actions=np.stack(played, axis=1).astype(np.float32) if played else np.zeros((len(states), 0, dim), np.float32),
        num_steps=np.minimum(reached + HOLD, len(played)),
    )


def step_of(state: np.ndarray, action: np.ndarray, *, dynamics: DoubleIntegrator) -> np.ndarray:
    """States ``(batch, 2 * dim)`` one step later."""
    dim = action.shape[1]
    velocity = dynamics.decay * state[:, dim:] + dynamics.gain * action
    velocity = np.clip(velocity, -dynamics.max_speed, dynamics.max_speed)
    return np.concatenate([state[:, :dim] + dynamics.step * velocity, velocity], axis=1)
