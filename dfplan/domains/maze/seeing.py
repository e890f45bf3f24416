"""An agent that sees: frames in, actions out, around an agent that thinks in positions and speeds."""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from dfplan.agent.mpc import MPCAgent
from dfplan.errors import UserError
from dfplan.types import PlanEvent


class Observer(Protocol):
    """What frames are looked at with: see :class:`dfplan.domains.maze.observer.FrameObserver`."""

    def places(self, frames: np.ndarray) -> np.ndarray:
        """Positions ``(n, 2)`` in frames ``(n, height, width, 3)`` uint8."""
        ...

    def begin(self, positions: np.ndarray) -> np.ndarray:
        """Observations ``(batch, 4)``, position and speed in units a second, at the beginning of an episode."""
        ...

    def follow(self, observations: np.ndarray, *, actions: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Observations ``(batch, 4)`` one step later, from the last ones, the actions since and where it is now."""
        ...


class SeeingAgent:
    """Follows what it sees and does, and lets another agent act on position and speed.

    Args:
        agent: acts on observations ``[position, speed]``.
        observer: makes them from frames and actions.

    Attributes:
        on_plan: called with a :class:`~dfplan.types.PlanEvent` after each planning, if given.
    """

    def __init__(self, agent: MPCAgent, *, observer: Observer) -> None:
        self.agent = agent
        self.agent.on_plan = self._tell
        self.on_plan: Callable[[PlanEvent], None] | None = None
        self.observer = observer
        self._seen: np.ndarray | None = None
        self._actions = np.zeros((0, 0), np.float32)

    @property
    def num_clipped(self) -> int:
        """See :class:`MPCAgent`."""
        return self.agent.num_clipped

    def _tell(self, event: PlanEvent) -> None:
        if self.on_plan is not None:
            self.on_plan(event)

    def reset(self, *, seeds: Sequence[int], goals: np.ndarray | None) -> None:
        """Begin new episodes, one a seed; there are goals in every maze.

        Args:
            seeds: see :meth:`MPCAgent.reset`.
            goals: positions ``(batch, 2)``, or pictures of the agent at its goal ``(batch, height, width, 3)`` uint8.
        """
        assert goals is not None
        self._seen = None
        self.agent.reset(seeds=seeds, goals=self._goal_positions(goals))

    def restart(self, indices: np.ndarray, *, goals: np.ndarray) -> None:
        """Begin new episodes in some of the environments; their next frame is the first that counts."""
        self.agent.restart(indices, goals=self._goal_positions(goals))
        if self._seen is not None:
            self._seen[indices] = np.nan

    def act(self, observations: np.ndarray) -> np.ndarray:
        """Actions ``(batch, 2)`` for frames ``(batch, height, width, 3)`` uint8, which are what it observes."""
        positions = self.observer.places(observations)
        if self._seen is None:
            self._seen = self.observer.begin(positions)
        else:
            begun = np.isnan(self._seen).any(axis=1) | self._jumped(positions)
            self._seen = self.observer.follow(self._seen, actions=self._actions, positions=positions)
            self._seen[begun] = self.observer.begin(positions[begun])
        self._actions = self.agent.act(self._seen.astype(np.float32))
        return self._actions

    def _jumped(self, positions: np.ndarray) -> np.ndarray:
        """Which rows begin an episode that nobody told of; False where the agent inside cannot tell."""
        can_tell = getattr(self.agent, "jumped", None)
        return np.zeros(len(positions), dtype=bool) if can_tell is None else can_tell(positions)

    def _goal_positions(self, goals: np.ndarray) -> np.ndarray:
        goals = np.asarray(goals)
        if goals.ndim == 2:
            return goals
        if goals.ndim != 4:
            raise UserError(
                "goals are positions (batch, 2) or pictures (batch, height, width, 3); "
                f"got an array of shape {goals.shape}"
            )
        return self.observer.places(goals)


class EncodingAgent:
    """Lets an agent act on what frames are encoded as.

    Args:
        agent: acts on latents ``(batch, observation_dim)``.
        encode: makes them of frames ``(batch, height, width, 3)`` uint8.

    Attributes:
        on_plan: called with a :class:`~dfplan.types.PlanEvent` after each planning, if given.
    """

    def __init__(self, agent: MPCAgent, *, encode: Callable[[np.ndarray], np.ndarray]) -> None:
        self.agent, self.encode = agent, encode
        self.agent.on_plan = self._tell
        self.on_plan: Callable[[PlanEvent], None] | None = None

    @property
    def num_clipped(self) -> int:
        """See :class:`MPCAgent`."""
        return self.agent.num_clipped

    def _tell(self, event: PlanEvent) -> None:
        if self.on_plan is not None:
            self.on_plan(event)

    def reset(self, *, seeds: Sequence[int], goals: np.ndarray | None = None) -> None:
        """See :meth:`MPCAgent.reset`."""
        self.agent.reset(seeds=seeds, goals=goals)

    def act(self, observations: np.ndarray) -> np.ndarray:
        """Actions ``(batch, action_dim)`` for frames."""
        return self.agent.act(self.encode(observations))
