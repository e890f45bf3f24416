"""What the node does, without ROS: keeps the newest observation, acts at every tick, and says how it is."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dfplan.errors import UserError
from dfplan.realtime import RealtimeAgent
from dfplan.realtime.rate import RateMeter


@dataclass(frozen=True)
class Status:
    """What the node says of itself at every tick.

    Attributes:
        source: rung of the ladder, or ``waiting`` before the first goal.
        faults: what was wrong; empty is good.
        rate: ticks a second, as measured.
        late: whether the action came after the tick was over.
    """

    source: str
    faults: tuple[str, ...]
    rate: float
    late: bool

    @property
    def level(self) -> int:
        """0 good, 1 warning, 2 error, as ``diagnostic_msgs`` counts."""
        if self.source in ("safe", "stopped"):
            return 2
        return int(bool(self.faults) or self.late or self.source in ("hold", "queue"))


class NodeCore:
    """Acts at a fixed rate on observations that come when they come.

    Args:
        agent: made on the same clock.
        rate: ticks a second, as planned.
        send: takes the action ``(action_dim,)`` of each tick.
        tell: takes the status of each tick.
        idle: the action before the first goal and at the end, ``(action_dim,)``.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        agent: RealtimeAgent,
        *,
        rate: float,
        send: Callable[[np.ndarray], None],
        tell: Callable[[Status], None],
        idle: np.ndarray,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._agent, self._period = agent, 1 / rate
        self._send, self._tell, self._idle, self._clock = send, tell, idle, clock
        self._meter = RateMeter(self._period)
        self._newest: tuple[np.ndarray, float] | None = None
        self._episode = -1
        self._faults: tuple[str, ...] = ()  # since the last tick

    def take_observation(self, observation: np.ndarray, *, age: float) -> None:
        """Take an observation that was measured ``age`` seconds ago; the agent's gate judges it, not this."""
        self._newest = (observation, self._clock() - age)

    def take_goal(self, goal: np.ndarray) -> None:
        """Take a goal ``(goal_dim,)``; each begins an episode.

        One where the robot cannot be is left aside, and flagged at the next tick: whoever can send goals must not be
        able to end the node.
        """
        try:
            self._agent.reset(seed=self._episode + 1, goal=goal)
            self._episode += 1
        except UserError:
            self.flag("bad_goal")

    def flag(self, fault: str) -> None:
        """Say at the next tick that something that was sent is left aside."""
        if fault not in self._faults:
            self._faults = (*self._faults, fault)

    def tick(self) -> None:
        """Act once."""
        begins = self._clock()
        self._meter.tick(begins)
        if self._episode < 0:
            self._send(self._idle)
            self._tell(self._status("waiting", (), late=False))
            return
        observation, stamp = self._newest or (None, begins)
        action, info = self._agent.act(observation, deadline=begins + self._period, stamp=stamp)
        self._send(action)
        self._tell(self._status(info.source, info.faults, late=self._clock() > begins + self._period))

    def resume(self) -> None:
        """Let a stopped agent go on."""
        self._agent.release()

    def close(self) -> None:
        """Leave the robot idle and end the planner."""
        self._send(self._idle)
        self._agent.close()

    def _status(self, source: str, faults: tuple[str, ...], *, late: bool) -> Status:
        between, self._faults = self._faults, ()
        return Status(source, (*between, *faults), 1 / self._meter.period, late)
