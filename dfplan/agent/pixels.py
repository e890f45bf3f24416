"""An agent that sees: what is shown in, actions out, around an agent that plans from what was made of it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from dfplan.agent.mpc import MPCAgent
from dfplan.types import PlanEvent


class Sight(Protocol):
    """What is looked with: :class:`dfplan.models.sight.LatentSight`, or a domain's own.

    What is shown are pictures ``(batch, …)`` uint8, or records of pictures and numbers by their names.
    """

    @property
    def tells_places(self) -> bool:
        """Whether observations begin with places of the environment."""
        ...

    def begin(self, shown: np.ndarray) -> np.ndarray:
        """What is remembered ``(batch, n)`` where an episode begins with what is shown."""
        ...

    def follow(self, memory: np.ndarray, *, actions: np.ndarray, fresh: np.ndarray) -> np.ndarray:
        """What is remembered a step later: ``fresh`` is what :meth:`begin` makes of what is shown now."""
        ...

    def told(self, memory: np.ndarray) -> np.ndarray:
        """Observations ``(batch, observation_dim)`` of what is remembered."""
        ...

    def goals(self, told: np.ndarray) -> np.ndarray:
        """Goals ``(batch, goal_dim)`` of what is told of them, which may be pictures."""
        ...


class PixelAgent:
    """Follows what it sees and does, and lets another agent act on observations made of that.

    Args:
        agent: acts on observations.
        sight: makes them.

    Attributes:
        on_plan: called with a :class:`~dfplan.types.PlanEvent` after each planning, if given; of plans in latents,
            which are no states of the environment, it is told the actions and rewards, and no observations.
    """

    def __init__(self, agent: MPCAgent, *, sight: Sight) -> None:
        self.agent = agent
        self.agent.on_plan = self._tell
        self.on_plan: Callable[[PlanEvent], None] | None = None
        self.sight = sight
        self._memory: np.ndarray | None = None
        self._actions = np.zeros((0, 0), np.float32)

    @property
    def num_clipped(self) -> int:
        """See :class:`MPCAgent`."""
        return self.agent.num_clipped

    def _tell(self, event: PlanEvent) -> None:
        if self.on_plan is None:
            return
        if not self.sight.tells_places:
            event = replace(event, plan=replace(event.plan, observations=event.plan.observations[:, :0]))
        self.on_plan(event)

    def reset(self, *, seeds: Sequence[int], goals: np.ndarray | None) -> None:
        """Begin new episodes, one a seed.

        Args:
            seeds: see :meth:`MPCAgent.reset`.
            goals: ``(batch, …)`` what is told of them, such as pictures; None is nothing.
        """
        self._memory = None
        self.agent.reset(seeds=seeds, goals=None if goals is None else self.sight.goals(np.asarray(goals)))

    def restart(self, indices: np.ndarray, *, goals: np.ndarray) -> None:
        """Begin new episodes in some of the environments; what is shown next is the first that counts."""
        self.agent.restart(indices, goals=self.sight.goals(np.asarray(goals)))
        if self._memory is not None:
            self._memory[indices] = np.nan

    def act(self, observations: np.ndarray, *, levels: np.ndarray | None = None) -> np.ndarray:
        """Actions ``(batch, action_dim)`` for what is shown ``(batch, …)``; ``levels`` are as of :class:`MPCAgent`."""
        fresh = self.sight.begin(observations)
        if self._memory is None:
            self._memory = fresh
        else:
            begun = np.isnan(self._memory).any(axis=1) | self._jumped(fresh)
            self._memory = self.sight.follow(self._memory, actions=self._actions, fresh=fresh)
            self._memory[begun] = fresh[begun]
        told = self.sight.told(self._memory)
        self._actions = self.agent.act(told) if levels is None else self.agent.act(told, levels=levels)
        return self._actions

    def _jumped(self, fresh: np.ndarray) -> np.ndarray:
        """Which rows begin an episode that nobody told of; False where the agent inside cannot tell."""
        can_tell = getattr(self.agent, "jumped", None)
        if can_tell is None or not self.sight.tells_places:
            return np.zeros(len(fresh), dtype=bool)
        return can_tell(fresh[:, : self.agent.planner.goal_dim])
