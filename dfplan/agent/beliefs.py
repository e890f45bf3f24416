"""What an agent believes of a batch of environments, brought up to date with every token's worth of steps."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from dfplan.agent.jumps import ResetWatch
from dfplan.planner import Belief, Planner


@dataclass(eq=False)
class _Episodes:
    """Episodes that began at the same step, so that all of them remember as many tokens.

    Attributes:
        rows: ``(episodes,)`` which environments of the batch.
        begun: the agent's step at which they did.
        actions: ``(episodes, steps_per_token, action_dim)`` of the token that is being carried out.
        seen: ``(episodes, points_per_token, observation_dim)`` of the same token.
        levels: ``(episodes,)`` the highest noise level of these; None where nobody tells.
        belief: what follows from everything before it.
    """

    rows: np.ndarray
    begun: int
    actions: np.ndarray
    seen: np.ndarray
    levels: np.ndarray | None = None
    belief: Belief | None = None

    def select(self, which: np.ndarray) -> None:
        """Go on with some of the episodes alone; ``which`` are indices."""
        self.rows, self.actions, self.seen = self.rows[which], self.actions[which], self.seen[which]
        self.levels = None if self.levels is None else self.levels[which]
        self.belief = None if self.belief is None else self.belief.select(torch.as_tensor(which))


class Beliefs:
    """Beliefs of environments that begin and end when they like; those that remember as much are one batch.

    An environment that resets itself is noticed by its second observation; see
    :class:`~dfplan.agent.jumps.ResetWatch`.

    Args:
        planner: forms beliefs, and remembers.
        batch: environments.
    """

    def __init__(self, planner: Planner, batch: int) -> None:
        self.planner = planner
        self._watch = ResetWatch(
            batch, observation_dim=planner.observation_dim, reach=planner.reach, goal_dim=planner.goal_dim
        )
        self._episodes: list[_Episodes] = []
        self.begin(np.arange(batch), step=0)

    def begin(self, rows: np.ndarray, *, step: int) -> None:
        """Begin new episodes in the environments ``rows`` with the observations of a step."""
        self.end(rows)
        if len(rows):
            layout = self.planner.model.layout
            actions = np.zeros((len(rows), layout.steps_per_token, layout.action_dim), np.float32)
            seen = np.zeros((len(rows), layout.points_per_token, layout.observation_dim), np.float32)
            self._episodes.append(_Episodes(np.asarray(rows), step, actions, seen))

    def end(self, rows: np.ndarray) -> None:
        """Forget the environments ``rows``."""
        for episodes in self._episodes:
            episodes.select(np.flatnonzero(~np.isin(episodes.rows, rows)))
        self._episodes = [each for each in self._episodes if len(each.rows)]
        self._watch.forget(rows)

    def look(
        self, observations: np.ndarray, goals: np.ndarray | None, *, levels: np.ndarray | None, step: int
    ) -> np.ndarray:
        """Take the observations of a step; returns which environments have begun anew by themselves, ``(batch,)`` bool.

        Args:
            observations: ``(batch, observation_dim)``.
            goals: ``(batch, goal_dim)`` of all; None shows none.
            levels: ``(batch,)`` how noisy each observation is known to be; None is as the planner's settings have it.
            step: of the agent.
        """
        begun = self._watch.look(
            observations, believed=np.ones(len(observations), bool) if levels is None else levels == 0
        )
        self.begin(np.flatnonzero(begun & self._is_known(len(begun))), step=step)
        for episodes in self._episodes:
            own = None if levels is None else levels[episodes.rows]
            self._take(
                episodes, observations[episodes.rows], None if goals is None else goals[episodes.rows], own, step
            )
        return begun

    def act(self, actions: np.ndarray, *, step: int) -> None:
        """Take the actions ``(batch, action_dim)`` that are carried out in a step."""
        for episodes in self._episodes:
            episodes.actions[:, (step - episodes.begun) % self.planner.steps_per_token] = actions[episodes.rows]

    def ready(self, step: int, *, batch: int) -> np.ndarray:
        """Which environments are where a token begins, ``(batch,)`` bool: only there a plan can go on."""
        found = np.zeros(batch, dtype=bool)
        for episodes in self._episodes:
            found[episodes.rows] = (step - episodes.begun) % self.planner.steps_per_token == 0
        return found

    def of(self, rows: np.ndarray) -> Iterator[tuple[np.ndarray, Belief]]:
        """The environments ``rows`` in groups that remember as much, each with what is believed of it."""
        for episodes in self._episodes:
            which = np.flatnonzero(np.isin(episodes.rows, rows))
            if len(which) and episodes.belief is not None:
                yield episodes.rows[which], episodes.belief.select(torch.as_tensor(which))

    def _is_known(self, batch: int) -> np.ndarray:
        known = np.zeros(batch, dtype=bool)
        for episodes in self._episodes:
            known[episodes.rows] = True
        return known

    def _take(
        self,
        episodes: _Episodes,
        observations: np.ndarray,
        goals: np.ndarray | None,
        levels: np.ndarray | None,
        step: int,
    ) -> None:
        planner, done = self.planner, step - episodes.begun
        place = done % planner.steps_per_token or planner.steps_per_token
        if not done:
            episodes.belief = planner.believe(observations, goals, levels=levels)
        elif place % planner.steps_per_point == 0:
            point = place // planner.steps_per_point - 1
            episodes.seen[:, point] = observations
            if levels is not None and episodes.levels is not None and point:
                levels = np.maximum(levels, episodes.levels)
            episodes.levels = levels
            if place == planner.steps_per_token:
                assert episodes.belief is not None
                episodes.belief = planner.update(
                    episodes.belief, actions=episodes.actions, observations=episodes.seen, levels=episodes.levels
                )
