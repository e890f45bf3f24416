"""An agent that acts by what it has seen since the episode began, or, for comparison, by what it sees now alone."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from dfplan.agent.jumps import ResetWatch
from dfplan.errors import UserError
from dfplan.models.denoiser import DenoiserState
from dfplan.planner.memory import MemoryPlanner
from dfplan.types import PlanEvent


@dataclass(eq=False)
class _Episodes:
    """Episodes that began at the same step, so that all of them remember as many tokens.

    Attributes:
        rows: ``(episodes,)`` which environments of the batch.
        begun: the agent's step at which they did.
        actions: ``(episodes, steps_per_token, action_dim)`` of the token that is being carried out.
        memory: of what was seen and done before it.
    """

    rows: np.ndarray
    begun: int
    actions: np.ndarray
    memory: DenoiserState | None = None

    def select(self, which: np.ndarray) -> None:
        """Go on with some of the episodes alone; ``which`` are indices."""
        self.rows, self.actions = self.rows[which], self.actions[which]
        if self.memory is not None:
            self.memory = self.memory.select(torch.as_tensor(which))


class MemoryAgent:
    """Plans one token ahead for a batch of environments, carries its actions out, and remembers both.

    All environments begin with :meth:`reset`; one of them begins anew with :meth:`restart` or, where observations are
    states and nobody told of it (vector environments reset themselves), with the second observation that lies where the
    robot cannot have come from the ones before. A single such observation is taken for noise.

    Args:
        planner: makes the plans.
        remembers: whether a plan follows from everything since the episode began; else every plan begins anew with the
            present observation (an ordinary diffusion policy).
        encode: turns what is observed ``(batch, …)`` into what is planned with ``(batch, observation_dim)``, such as
            frames into latents, by which no new episode is noticed; None takes it as it is.
        on_plan: called with a :class:`~dfplan.types.PlanEvent` after each planning.
    """

    def __init__(
        self,
        planner: MemoryPlanner,
        *,
        remembers: bool,
        encode: Callable[[np.ndarray], np.ndarray] | None = None,
        on_plan: Callable[[PlanEvent], None] | None = None,
    ) -> None:
        self.planner = planner
        self.remembers = remembers
        self.encode = encode
        self.on_plan = on_plan
        self._step = 0
        self._generators: list[torch.Generator] = []
        self._episodes: list[_Episodes] = []
        self._watch: ResetWatch | None = None

    def reset(self, *, seeds: Sequence[int], goals: np.ndarray | None = None) -> None:
        """Begin new episodes, one a seed; the plans of row k depend on seed k alone. ``goals`` are not looked at."""
        self._step = 0
        self._generators = [torch.Generator().manual_seed(int(seed)) for seed in seeds]
        self._episodes = [self._beginning(np.arange(len(self._generators)))]
        if self.encode is None:
            self._watch = ResetWatch(
                len(self._generators),
                observation_dim=self.planner.observation_dim,
                reach=self.planner.reach,
                position_dim=self.planner.position_dim,
            )

    def restart(self, indices: np.ndarray) -> None:
        """Begin new episodes in the environments ``indices`` while the others go on; their noise goes on as well."""
        for episodes in self._episodes:
            episodes.select(np.flatnonzero(~np.isin(episodes.rows, indices)))
        self._episodes = [each for each in self._episodes if len(each.rows)]
        if len(indices):
            self._episodes.append(self._beginning(np.asarray(indices)))
        if self._watch is not None:
            self._watch.forget(np.asarray(indices))

    def act(self, observations: np.ndarray, *, levels: np.ndarray | None = None) -> np.ndarray:
        """Actions ``(batch, action_dim)`` float32 in [-1, 1].

        Args:
            observations: ``(batch, …)``.
            levels: ``(batch,)`` how noisy each is known to be, 0 … 1; None is not at all.
        """
        observations = np.asarray(observations)
        if len(observations) != len(self._generators):
            raise UserError(
                f"reset() began {len(self._generators)} episodes, act() got {len(observations)} observations; "
                "call reset(seeds=…) with one seed per environment first"
            )
        levels = np.zeros(len(observations)) if levels is None else np.asarray(levels)
        if self._watch is not None and observations.shape[1:] == (self.planner.observation_dim,):
            self.restart(np.flatnonzero(self._watch.look(observations, believed=levels == 0)))
        actions = np.zeros((len(observations), self.planner.action_dim), np.float32)
        for episodes in self._episodes:
            place = (self._step - episodes.begun) % self.planner.steps_per_token
            if not place:
                self._plan(episodes, observations[episodes.rows], levels[episodes.rows])
            actions[episodes.rows] = episodes.actions[:, place]
        self._step += 1
        return actions

    def keep(self, rows: np.ndarray) -> None:
        """Go on with the environments ``rows``, which become the batch; the episodes of the others are over."""
        rows = np.asarray(rows)
        self._generators = [self._generators[row] for row in rows]
        for episodes in self._episodes:
            episodes.select(np.flatnonzero(np.isin(episodes.rows, rows)))
            episodes.rows = np.array([np.flatnonzero(rows == row)[0] for row in episodes.rows], dtype=np.int64)
        self._episodes = [each for each in self._episodes if len(each.rows)]
        if self._watch is not None:
            self._watch.keep(rows)

    def _beginning(self, rows: np.ndarray) -> _Episodes:
        size = len(rows), self.planner.steps_per_token, self.planner.action_dim
        return _Episodes(rows, self._step, np.zeros(size, np.float32))

    def _plan(self, episodes: _Episodes, observations: np.ndarray, levels: np.ndarray) -> None:
        began = time.perf_counter()
        if self.encode is not None:
            observations = self.encode(observations)
        if episodes.memory is None or not self.remembers:
            episodes.memory = self.planner.begin(observations, levels=levels)
        else:
            episodes.memory = self.planner.remember(
                episodes.memory, actions=episodes.actions, observations=observations, levels=levels
            )
        generators = [self._generators[row] for row in episodes.rows]
        plan = self.planner.plan(episodes.memory, num_tokens=1, generators=generators)
        episodes.actions = plan.actions
        if self.on_plan is not None:
            step = self._step - episodes.begun
            self.on_plan(PlanEvent(episodes.rows, step, plan, seconds=time.perf_counter() - began))
