"""Keeps a planner process at work: one request at a time, and a new process where the old one has died or hangs."""

import math
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from dfplan.errors import UserError
from dfplan.realtime.plans import plan_from
from dfplan.realtime.stream import ConnectionLostError
from dfplan.realtime.wire import Message, WireError, encode
from dfplan.types import Plan

if TYPE_CHECKING:
    from dfplan.realtime.process import PlannerProcess

FAILURES = ("planner_died", "planner_hung", "planner_failed", "planner_bad_answer", "planner_start_timeout")

_LONGEST = 3600.0  # seconds that a plan can be said to have taken
_ROUNDING = 0.01  # seconds: looks come at the beginning of ticks, what is waited for was asked for within one


@dataclass(frozen=True)
class Request:
    """What is to be planned for.

    Attributes:
        episode: number of the episode; a plan for another one is dropped.
        step: step of the episode at which ``observation`` was made.
        seed: of the plan's noise.
        observation: ``(observation_dim,)``, finite.
        observation_noise: ``(observation_dim,)`` its standard deviation; zeros if it is trusted.
        goal: ``(goal_dim,)``.
        committed: ``(steps, action_dim)`` actions from ``step`` on that will be executed before the plan arrives.
        passed: ``(waypoints,)`` of those that plans must pass, which were passed before; none is not to say.
    """

    episode: int
    step: int
    seed: int
    observation: np.ndarray
    observation_noise: np.ndarray
    goal: np.ndarray
    committed: np.ndarray
    passed: np.ndarray = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True)
class Answer:
    """A plan, what it answers, the level that its context was shown at, and the names of what it does not keep."""

    request: Request
    plan: Plan
    context_level: float
    broken: tuple[str, ...] = ()


@dataclass(frozen=True)
class Update:
    """What an update brought: an answer, or one of ``FAILURES`` with what is known about it, or neither."""

    answer: Answer | None = None
    failure: str | None = None
    detail: str = ""


class PlanningSupervisor:
    """Talks to a planner process and never waits for it unless told to.

    ::

        starting ──ready──▶ idle ──request──▶ busy ──plan | failure──▶ idle
            ▲                │ ping ⇄ pong      │
            └── new process ─┴── died, hung ────┘

    Idle, it keeps a ping under way, so that a process that has frozen is noticed although nothing is asked of it.

    Args:
        worker: the process; started by :meth:`start`, ended by :meth:`close`.
        action_low: ``(action_dim,)`` the action space: a plan outside it is refused.
        action_high: ``(action_dim,)``.
        observation_dim: numbers in an observation.
        clock: seconds; monotonic.
        plan_timeout: seconds after which a plan, or the answer to a ping, is given up and the process replaced.
        start_timeout: seconds that a process may take until it is ready.
    """

    def __init__(
        self,
        worker: "PlannerProcess",
        *,
        action_low: np.ndarray,
        action_high: np.ndarray,
        observation_dim: int,
        clock: Callable[[], float],
        plan_timeout: float = 0.5,
        start_timeout: float = 60.0,
    ) -> None:
        if not (plan_timeout > 0 and start_timeout > 0):
            raise UserError(f"time-outs must be above 0 seconds; got {plan_timeout} and {start_timeout}")
        self.action_low, self.action_high = np.asarray(action_low, np.float64), np.asarray(action_high, np.float64)
        if self.action_low.ndim != 1 or not (self.action_low <= self.action_high).all():
            raise UserError(
                "action_low and action_high must have shape (action_dim,), low nowhere above high; "
                f"got {self.action_low} and {self.action_high}"
            )
        self.observation_dim = observation_dim
        self._worker = worker
        self._clock = clock
        self._timeouts = {"starting": start_timeout, "idle": math.inf, "pinged": plan_timeout, "busy": plan_timeout}
        self._seconds: deque[float] = deque(maxlen=16)
        self._state, self._since = "idle", 0.0
        self._request: Request | None = None
        self._next_id = 0

    @property
    def is_ready(self) -> bool:
        """Whether a request would be taken."""
        return self._state == "idle"

    @property
    def is_busy(self) -> bool:
        """Whether a plan is under way."""
        return self._state == "busy"

    @property
    def is_down(self) -> bool:
        """Whether there is no process that could plan: it is starting, for the first time or again."""
        return self._state == "starting"

    @property
    def plan_seconds(self) -> float:
        """How long a plan takes, from the slowest of the last sixteen; 0 before the first."""
        return max(self._seconds, default=0.0)

    def start(self, *, wait: bool = True) -> None:
        """Start the planner process.

        Args:
            wait: until it is ready, for as long as the time-out allows; else it becomes ready during updates.

        Raises:
            UserError: it cannot be started or did not become ready.
        """
        try:
            self._worker.start()
        except OSError as error:
            raise UserError(f"the planner process cannot be started: {error}") from error
        self._enter("starting")
        while wait and self._state == "starting":
            update = self.update(timeout=self._timeouts["starting"])
            if update.failure is not None:
                self.close()
                raise UserError(f"the planner process did not start: {update.failure} {update.detail}".rstrip())

    def close(self) -> None:
        """End the planner process."""
        self._worker.close()

    def submit(self, request: Request) -> Update:
        """Ask for a plan; only while :attr:`is_ready`."""
        assert self.is_ready, "one request at a time"
        self._next_id += 1
        self._request = request
        fields = {name: getattr(request, name) for name in request.__dataclass_fields__}
        try:
            message = encode("request", id=self._next_id, **fields)
        except WireError as error:
            return Update(failure="planner_failed", detail=str(error))
        return self._send(message, state="busy")

    def ping(self) -> Update:
        """See whether an idle process is alive; does nothing in any other state."""
        return self._send(encode("ping"), state="pinged") if self._state == "idle" else Update()

    def update(self, *, timeout: float = 0.0, next_look: float = 0.0) -> Update:
        """See what has come, and whether something should have come.

        Args:
            timeout: seconds to wait, at most.
            next_look: seconds until the next update: what will be overdue by then is overdue now, or else a process
                that hangs would be noticed late by that much. Half of a time-out is always left.
        """
        try:
            message = self._worker.receive(timeout=timeout)
            if message is not None:
                return self._take(message)
        except ConnectionLostError as error:
            return self._replace("planner_died", str(error))
        except Exception as error:  # nothing that a planner says may stop the loop
            return self._replace("planner_bad_answer", str(error) or type(error).__name__)
        allowed, now = self._timeouts[self._state], self._clock()
        if not now >= self._since:  # the clock was set back, or tells no time: the wait begins anew
            self._since = now
        if now - self._since + min(next_look, allowed / 2) >= allowed - _ROUNDING:
            failure = "planner_start_timeout" if self._state == "starting" else "planner_hung"
            return self._replace(failure, f"silent for {now - self._since:.3f} s")
        return Update()

    def _take(self, message: Message) -> Update:
        """Take a message of the process.

        Raises:
            WireError: it is none that belongs here.
        """
        state, request = self._state, self._request
        if message.kind == "ready" and state == "starting":
            self._check_sizes(message)
            self._seconds.append(_within(message, "plan_seconds", most=_LONGEST))
        elif message.kind == "failure" and state == "busy" and message["id"] == self._next_id:
            self._enter("idle")
            return Update(failure="planner_failed", detail=message["text"])
        elif message.kind == "plan" and state == "busy" and message["id"] == self._next_id:
            assert request is not None
            plan = plan_from(
                message,
                action_low=self.action_low,
                action_high=self.action_high,
                observation_dim=self.observation_dim,
            )
            seconds, level = _within(message, "seconds", most=_LONGEST), _within(message, "context_level", most=1.0)
            self._seconds.append(seconds)
            self._enter("idle")
            return Update(answer=Answer(request, plan, level, tuple(message["broken"].split())))
        elif message.kind != "pong" or state != "pinged":
            raise WireError(f"{message.kind} while {state}")
        self._enter("idle")
        return Update()

    def _check_sizes(self, message: Message) -> None:
        found = (message["action_dim"], message["observation_dim"])
        if found != (len(self.action_low), self.observation_dim):
            raise WireError(
                f"the planner has actions and observations of {found[0]} and {found[1]} numbers, "
                f"the loop of {len(self.action_low)} and {self.observation_dim}"
            )

    def _send(self, message: bytes, *, state: str) -> Update:
        try:
            self._worker.send(message)
        except (ConnectionLostError, OSError, ValueError) as error:
            return self._replace("planner_died", str(error))
        self._enter(state)
        return Update()

    def _replace(self, failure: str, detail: str) -> Update:
        """Start a new process in place of one that is of no use any more."""
        with suppress(OSError):  # the next update tells that there is no process
            self._worker.start()
        self._enter("starting")
        return Update(failure=failure, detail=detail)

    def _enter(self, state: str) -> None:
        self._state, self._since = state, self._clock()


def _within(message: Message, name: str, *, most: float) -> float:
    """A number of a message that must lie between 0 and ``most``.

    Raises:
        WireError: it does not.
    """
    if not 0 <= message[name] <= most:
        raise WireError(f"{message.kind}.{name} must lie between 0 and {most:g}; got {message[name]:g}")
    return message[name]
