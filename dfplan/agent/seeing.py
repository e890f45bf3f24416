"""An agent that sees: frames in, actions out, around an agent that thinks in positions and speeds."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from dfplan.agent.mpc import MPCAgent
from dfplan.errors import UserError
from dfplan.types import PlanEvent


class Observer(Protocol):
    """What frames are looked at with: see :class:`dfplan.models.tokenizers.FrameObserver`."""

    @property
    def speed_frames(self) -> int:
        """How many frames back the speed is taken from."""
        ...

    def positions(self, frames: np.ndarray) -> np.ndarray:
        """Positions ``(n, 2)`` in frames ``(n, height, width, 3)`` uint8."""
        ...

    def observations(self, history: np.ndarray) -> np.ndarray:
        """Observations ``(batch, 4)`` from the last positions ``(frames, batch, 2)``, oldest first."""
        ...


class SeeingAgent:
    """Remembers where it saw itself in the last frames, and lets another agent act on position and speed.

    Args:
        agent: acts on observations ``[position, speed]``.
        observer: makes them from frames.

    Attributes:
        on_plan: called with a :class:`~dfplan.types.PlanEvent` after each planning, if given.
    """

    def __init__(self, agent: MPCAgent, *, observer: Observer) -> None:
        self.agent = agent
        self.agent.on_plan = self._tell
        self.on_plan: Callable[[PlanEvent], None] | None = None
        self.observer = observer
        self._history: deque[np.ndarray] = deque(maxlen=observer.speed_frames + 1)

    def _tell(self, event: PlanEvent) -> None:
        if self.on_plan is not None:
            self.on_plan(event)

    def reset(self, *, seeds: Sequence[int], goals: np.ndarray) -> None:
        """Begin new episodes, one a seed.

        Args:
            seeds: see :meth:`MPCAgent.reset`.
            goals: positions ``(batch, 2)``, or pictures of the agent at its goal ``(batch, height, width, 3)`` uint8.
        """
        self._history.clear()
        self.agent.reset(seeds=seeds, goals=self._goal_positions(goals))

    def restart(self, indices: np.ndarray, *, goals: np.ndarray) -> None:
        """Begin new episodes in some of the environments; their next frame is the first they remember."""
        self.agent.restart(indices, goals=self._goal_positions(goals))
        for positions in self._history:
            positions[indices] = np.nan

    def act(self, observations: np.ndarray) -> np.ndarray:
        """Actions ``(batch, 2)`` for frames ``(batch, height, width, 3)`` uint8, which are what it observes."""
        positions = self.observer.positions(observations)
        for earlier in self._history:
            # What an episode that has just begun does not remember is where it is now: it stands still so far.
            unknown = np.isnan(earlier).any(axis=1)
            earlier[unknown] = positions[unknown]
        self._history.append(positions)
        return self.agent.act(self.observer.observations(np.stack(self._history)))

    def _goal_positions(self, goals: np.ndarray) -> np.ndarray:
        goals = np.asarray(goals)
        if goals.ndim == 2:
            return goals
        if goals.ndim != 4:
            raise UserError(
                "goals are positions (batch, 2) or pictures (batch, height, width, 3); "
                f"got an array of shape {goals.shape}"
            )
        return self.observer.positions(goals)
