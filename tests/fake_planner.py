"""A clock that only tests move, and a planner process that answers by it; messages and checks are the real ones."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from dfplan.realtime import ObservationGate, Patience, PlanningSupervisor, RealtimeAgent
from dfplan.realtime.followers import ActionQueue
from dfplan.realtime.stream import ConnectionLostError
from dfplan.realtime.wire import HEADER_BYTES, Message, decode, encode
from dfplan.types import Bounds

LOW, HIGH = -np.ones(2), np.ones(2)
SPACING = 4  # steps between two states of a fake plan

# Of tests by the wall clock: a process that gets no processor for half a second is a planner that hangs.
needs_a_quiet_machine = pytest.mark.skipif(
    "os.getloadavg()[0] > 4 * os.cpu_count()",  # as a string: asked when the test begins, not when it is found
    reason="this machine is too busy for tests by the wall clock",
)


class FakeClock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


def counting_plan(request: Message, *, num_steps: int = 64) -> dict:
    """A plan whose actions grow by 0.001 a step, from the first committed action on, or from step / 1000."""
    first = request["committed"][0, 0] if len(request["committed"]) else request["step"] / 1000
    actions = np.repeat(first + np.arange(num_steps)[:, None] / 1000, 2, axis=1)
    num_points = num_steps // SPACING
    return {
        "steps_per_point": SPACING,
        "arrival": num_steps + 1,
        "value": 0.0,
        "observations": np.repeat(request["observation"][None], num_points, axis=0),
        "actions": actions,
        "rewards": np.zeros(1),
        "broken": "",
    }


class FakePlanner:
    """Stands in for a :class:`~dfplan.realtime.PlannerProcess`.

    Attributes:
        mode: ``well``, ``dead``, ``hung`` (takes messages, never answers) or ``failing`` (tells of a failure).
        heals: whether a new process is well.
        requests: all that arrived.
        starts: how often it was started.
    """

    def __init__(
        self,
        clock: FakeClock,
        *,
        latency: float = 0.03,
        start_seconds: float = 0.2,
        make_plan: Callable[[Message], dict] = counting_plan,
    ) -> None:
        self.clock, self.latency, self.start_seconds, self.make_plan = clock, latency, start_seconds, make_plan
        self.mode, self.heals = "well", True
        self.requests: list[Message] = []
        self.starts = 0
        self._due: list[tuple[float, bytes]] = []

    def start(self) -> None:
        self.starts += 1
        self.mode = "well" if self.heals else self.mode
        ready = encode("ready", action_dim=2, observation_dim=4, plan_seconds=self.latency)
        self._due = [(self.clock() + self.start_seconds, ready)] if self.mode != "hung" else []

    def send(self, message: bytes) -> None:
        if self.mode == "dead":
            raise ConnectionLostError("dead")
        request = decode(message[HEADER_BYTES:])
        if request.kind == "ping":
            self._answer(0.0, encode("pong"))
            return
        self.requests.append(request)
        if self.mode == "failing":
            self._answer(self.latency, encode("failure", id=request["id"], text="no plan"))
            return
        plan = self.make_plan(request)
        self._answer(self.latency, encode("plan", id=request["id"], seconds=self.latency, context_level=0.25, **plan))

    def receive(self, *, timeout: float = 0.0) -> Message | None:
        if self.mode == "dead":
            raise ConnectionLostError("dead")
        until = self.clock() + timeout
        if self.mode == "hung" or not self._due or self._due[0][0] > until:
            self.clock.now = until
            return None
        at, message = self._due.pop(0)
        self.clock.now = max(self.clock.now, at)
        return decode(message[HEADER_BYTES:])

    def close(self) -> None:
        self.mode = "dead"

    def _answer(self, seconds: float, message: bytes) -> None:
        if self.mode != "hung":
            self._due.append((self.clock() + seconds, message))


def fake_supervisor(planner: FakePlanner, *, plan_timeout: float = 0.5) -> PlanningSupervisor:
    """A supervisor of a fake planner, started and ready."""
    planning = PlanningSupervisor(
        planner, action_low=LOW, action_high=HIGH, observation_dim=4, clock=planner.clock, plan_timeout=plan_timeout
    )
    planning.start()
    return planning


def maze_gate(**options: object) -> ObservationGate:
    """A gate for the observations of a maze."""
    low, high = np.array([-1.0, -1.0, -6.0, -6.0]), np.array([12.0, 12.0, 6.0, 6.0])
    return ObservationGate(low=low, high=high, **({"max_age": 0.2} | options))  # type: ignore[arg-type]


def fake_agent(planner: FakePlanner, *, plan_timeout: float = 0.5, **options: Any) -> RealtimeAgent:
    """An agent at 20 Hz on the planner's clock, its episode begun."""
    patience = Patience(**{each.name: options.pop(each.name) for each in fields(Patience) if each.name in options})
    limits = Bounds(np.full(2, -1.0), np.full(2, 12.0))
    settings = {"gate": maze_gate(), "goal_bounds": limits, "follower": ActionQueue(), "replan_every": 16} | options
    settings.setdefault("period", 0.05)
    agent = RealtimeAgent(
        fake_supervisor(planner, plan_timeout=plan_timeout),
        clock=planner.clock,
        patience=patience,
        **settings,  # type: ignore[arg-type]
    )
    agent.reset(seed=0, goal=np.array([5.0, 5.0]))
    return agent
