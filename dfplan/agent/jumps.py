"""Tells by the observations alone where an environment has begun a new episode that nobody told of."""

import numpy as np

from dfplan.types import Reach

# Steps' worth of motion within one step that make it a jump: a noisy sensor or a frame that was left out is none.
_JUMP = 10.0
_SLOW = 0.1  # of the largest speed: who is as slow may begin an episode, and whose speed changes by more, too


def has_jumped(
    observations: np.ndarray,
    before: np.ndarray,
    *,
    reach: Reach,
    goal_dim: int,
    steps: np.ndarray | int = 1,
) -> np.ndarray:
    """Which rows lie farther from those of before than the robot can have moved, and not as if it had been pushed.

    Args:
        observations: ``(batch, observation_dim)``, or places ``(batch, goal_dim)`` alone.
        before: ``(batch, observation_dim)`` of some steps ago; NaN where there are none, from which nothing jumps.
        reach: how far the robot gets in a step.
        goal_dim: leading numbers of an observation that are the place; as many velocities follow, if there are.
        steps: how many steps ago, one number or ``(batch,)``.

    Returns:
        ``(batch,)`` bool.
    """
    dim = goal_dim
    if not np.isfinite(reach.step):  # nobody knows how far it gets
        return np.zeros(len(observations), dtype=bool)
    far = np.abs(observations[:, :dim] - before[:, :dim]).max(axis=1, initial=0) > (_JUMP + steps - 1) * reach.step
    if observations.shape[1] < 2 * dim:
        return far
    moves = np.abs(observations[:, dim : 2 * dim]).max(axis=1, initial=0) > _SLOW * reach.speed
    return far & ~(moves & _keeps_speed(observations, before, reach=reach, dim=dim))


def _keeps_speed(observations: np.ndarray, before: np.ndarray, *, reach: Reach, dim: int) -> np.ndarray:
    changed = np.abs(observations[:, dim : 2 * dim] - before[:, dim : 2 * dim])
    return changed.max(axis=1, initial=0) <= _SLOW * reach.speed


class ResetWatch:
    """Watches a batch of environments for new episodes, where single observations may be noise that nobody marks.

    An observation counts once the next one lies beside it: noise alone begins no episode, and a new one is noticed with
    its second observation.

    Args:
        batch: environments.
        observation_dim: numbers in an observation.
        reach: how far the robot gets in a step.
        goal_dim: see :func:`has_jumped`.
    """

    def __init__(self, batch: int, *, observation_dim: int, reach: Reach, goal_dim: int) -> None:
        self._reach, self._dim = reach, goal_dim
        self._last = np.full((batch, observation_dim), np.nan)
        self._counted = self._last.copy()  # the last observation that counts, or NaN
        self._steps = np.zeros(batch)  # since then

    def look(self, observations: np.ndarray, *, believed: np.ndarray) -> np.ndarray:
        """Take the observations of a step; returns which environments have begun a new episode, ``(batch,)`` bool.

        Args:
            observations: ``(batch, observation_dim)``.
            believed: ``(batch,)`` bool, False where an observation is known to be noisy.
        """
        self._steps += 1
        seen = np.where(believed[:, None], observations, np.nan).astype(np.float64)
        near = (
            np.abs(seen[:, : self._dim] - self._last[:, : self._dim]).max(axis=1, initial=0) <= _JUMP * self._reach.step
        )
        near &= _keeps_speed(seen, self._last, reach=self._reach, dim=self._dim)
        begun = near & has_jumped(seen, self._counted, reach=self._reach, goal_dim=self._dim, steps=self._steps)
        self._counted[near], self._steps[near], self._last = seen[near], 0, seen
        return begun

    def forget(self, rows: np.ndarray) -> None:
        """Begin anew in the environments ``rows``: wherever they are seen next is no jump."""
        self._last[rows] = self._counted[rows] = np.nan

    def keep(self, rows: np.ndarray) -> None:
        """Go on with the environments ``rows`` alone."""
        self._last, self._counted, self._steps = self._last[rows], self._counted[rows], self._steps[rows]
