"""The real-time agent: an action for every observation, on time, whatever becomes of sensor and planner."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dfplan.errors import UserError
from dfplan.realtime.followers import Follower
from dfplan.realtime.gate import ObservationGate, Verdict
from dfplan.realtime.ladder import Ladder
from dfplan.realtime.latch import FaultLatch
from dfplan.realtime.rate import RateMeter
from dfplan.realtime.supervisor import Answer, PlanningSupervisor, Request, Update

SOURCES = ("plan", "queue", "hold", "safe", "stopped")
_SPARE = 0.25  # of a period, left before a deadline when a plan is waited for
_LONGEST_WAIT = 1.0  # seconds between two looks at the planner while waiting


@dataclass(frozen=True)
class ActInfo:
    """Where an action came from, and what was wrong.

    Attributes:
        step: of the episode, from 0; missed steps count.
        source: the rung of the ladder: ``plan`` (a good observation, and the planner is on time), ``queue`` (the old
            plan goes on, blind or because the new one is late), ``hold`` (the last action, fading), ``safe`` (the safe
            action), ``stopped`` (the safe action, latched until :meth:`RealtimeAgent.release`).
        faults: of the observation (:data:`~dfplan.realtime.gate.FAULTS`), of the planner
            (:data:`~dfplan.realtime.supervisor.FAILURES`), and ``missed_steps`` (the loop did not call in time),
            ``late_plan`` (a plan came later than expected), ``bad_action`` (what the follower said was not finite),
            ``late_action`` (this call overran its deadline). Empty is good.
        plan_age: steps since the observation that the followed plan was made at; -1 without a plan.
        delay_steps: steps that a plan is expected to take.
        joined: whether a new plan was gone over to at this step.
        jump: largest change of an action slot by that, against what the old plan had for this step; 0 where a follower
            cannot tell.
        context_level: noise level at which the followed plan was shown its observation.
        detail: what is known about a failure of the planner.
    """

    step: int
    source: str
    faults: tuple[str, ...]
    plan_age: int
    delay_steps: int
    joined: bool
    jump: float
    context_level: float
    detail: str


@dataclass
class _Tick:
    """What happens during one call."""

    verdict: Verdict
    faults: list[str] = field(default_factory=list)
    joined: bool = False
    jump: float = 0.0
    detail: str = ""


@dataclass
class _Episode:
    """What is remembered within an episode; steps count from 0."""

    number: int
    goal: np.ndarray
    seeds: np.random.Generator
    step: int = -1
    made_at: int | None = None  # of the observation of the followed plan
    due_at: int = 0  # when the plan under way is expected
    seen: np.ndarray | None = None  # the last good observation
    blind_steps: int = 0
    follows: bool = False  # whether the last action was of a plan
    driven: int = 0  # steps on actions of plans since the plan under way was asked for
    context_level: float = 0.0


class RealtimeAgent:
    """Acts for one robot; never waits for its planner, unless there is nothing to follow and a deadline allows it.

    ::

        step        k             k+1      …      k+d            k+d+1
        planner     request ──────────planning──────plan
        follower    old plan: a_k … a_{k+d-1}       new plan from its action d on

    The actions of steps k … k+d-1 go with the request as ``committed``: the plan begins with them, and so joins without
    a jump. The delay d is the measured planning time divided by the measured period of the loop. The ladder when
    something fails: the old plan, then the last action fading out, then the safe action; after too many faults in a row
    the safe action until somebody calls :meth:`release`.

    Args:
        planning: supervises the planner process; already started.
        gate: what every observation passes.
        follower: turns the newest plan into actions.
        replan_every: steps between two plans.
        period: seconds of a control step as planned; None where the robot waits for the agent (each call is one step).
        tolerance: distance from the plan beyond which a new one is asked for early.
        blind_steps: steps for which the old plan goes on without a good observation.
        hold_steps: steps for which the last action is held after that.
        safe_action: maps the last good observation, or None, to the action of a robot in trouble; None is zeros.
        max_bad_observations: bad observations in a row that latch.
        max_failures: failures of the planner, or actions that are not finite, in a row that latch.
        clock: seconds, monotonic; deadlines and stamps are read on it.
    """

    def __init__(
        self,
        planning: PlanningSupervisor,
        *,
        gate: ObservationGate,
        follower: Follower,
        replan_every: int,
        period: float | None,
        tolerance: float = 0.5,
        blind_steps: int = 8,
        hold_steps: int = 4,
        safe_action: Callable[[np.ndarray | None], np.ndarray] | None = None,
        max_bad_observations: int = 20,
        max_failures: int = 3,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if replan_every < 1 or min(blind_steps, hold_steps) < 0 or not tolerance > 0:
            raise UserError(
                "replan_every must be 1 or more, blind_steps and hold_steps 0 or more and tolerance above 0; "
                f"got {replan_every}, {blind_steps}, {hold_steps} and {tolerance}"
            )
        self._planning = planning
        self._gate = gate
        self._follower = follower
        self._replan_every = replan_every
        self._tolerance = tolerance
        self._blind_steps = blind_steps
        self._clock = clock
        self._is_clocked = period is not None
        self._rate = RateMeter(period)
        self._ladder = Ladder(
            low=planning.action_low, high=planning.action_high, hold_steps=hold_steps, safe_action=safe_action
        )
        self._latch = FaultLatch({"observation": max_bad_observations, "planner": max_failures, "action": max_failures})
        self._episode: _Episode | None = None

    @property
    def period(self) -> float:
        """Seconds of a control step, as measured."""
        return self._rate.period

    @property
    def delay_steps(self) -> int:
        """Steps that a plan is expected to take: planning time over the loop's real period, rounded up to a step."""
        return int(self._planning.plan_seconds / self.period) + 1

    @property
    def is_stopped(self) -> bool:
        """Whether it has latched: only the safe action until :meth:`release`."""
        return self._latch.is_latched

    def reset(self, *, seed: int, goal: np.ndarray) -> None:
        """Begin a new episode; a latched stop stays.

        Args:
            seed: of the noise of its plans.
            goal: ``(position_dim,)``.
        """
        goal = np.asarray(goal, np.float64)
        if goal.ndim != 1 or not np.isfinite(goal).all():
            raise UserError(f"a goal must be one row of finite numbers; got {goal}")
        number = 0 if self._episode is None else self._episode.number + 1
        self._episode = _Episode(number, goal, np.random.default_rng(seed))
        self._gate.reset()
        self._follower.reset(goal)
        self._ladder.reset()
        self._rate.reset()

    def release(self) -> None:
        """Let a latched agent go on; a planner that failed is started anew."""
        if self._latch.cause == "planner":
            self._planning.start(wait=False)
        self._latch.release()

    def close(self) -> None:
        """End the planner process."""
        self._planning.close()

    def act(
        self, observation: Any, *, deadline: float | None = None, stamp: float | None = None
    ) -> tuple[np.ndarray, ActInfo]:
        """The action of this step.

        Args:
            observation: ``(observation_dim,)``; anything else is a fault that is flagged, not raised.
            deadline: clock time by which the action is wanted. Where there is nothing to follow, a plan is waited for
                until shortly before; None waits for nothing.
            stamp: clock time at which the observation was measured; None is now.

        Returns:
            The action ``(action_dim,)`` float32, finite and inside the action space, and where it came from.

        Raises:
            UserError: no episode has begun.
        """
        episode = self._begun()
        now = self._clock()
        steps = self._rate.tick(now)
        episode.step += steps
        episode.driven += steps if episode.follows else 0
        self._follower.advance(steps)
        tick = _Tick(self._gate.check(observation, stamp=now if stamp is None else stamp, now=now))
        self._note_observation(tick, steps)
        if not self.is_stopped:
            self._take(self._planning.update(next_look=self._next_look), tick)
        followed = self._followed(tick)
        if followed is None and deadline is not None:
            self._wait_for_plan(tick, deadline)
            followed = self._followed(tick)
        action, source = self._ladder.choose(followed, stopped=self.is_stopped, seen=episode.seen)
        episode.follows = source == "plan"
        if not self.is_stopped:
            self._take(self._ask(tick), tick)
        self._gate.expect(tick.verdict, action)
        if deadline is not None and self._clock() > deadline:
            tick.faults.append("late_action")
        return action, self._info(tick, "queue" if source == "plan" and not self._is_on_time(tick) else source)

    @property
    def _next_look(self) -> float:
        """Seconds until the planner is looked at again; 0 where the robot waits, as nobody knows."""
        return self.period if self._is_clocked else 0.0

    def _begun(self) -> _Episode:
        if self._episode is None:
            raise UserError("no episode has begun; call reset(seed=…, goal=…) before act()")
        return self._episode

    def _note_observation(self, tick: _Tick, steps: int) -> None:
        episode, verdict = self._begun(), tick.verdict
        if steps > 1:
            tick.faults.append("missed_steps")
        self._latch.record("observation", good=verdict.fault is None)
        if verdict.fault is None:
            episode.seen, episode.blind_steps = verdict.observation, 0
        else:
            episode.blind_steps += steps
            tick.faults.append(verdict.fault)

    def _take(self, update: Update, tick: _Tick) -> None:
        """Take what the planner says: go over to a plan, or note a failure."""
        if update.failure is not None:
            self._latch.record("planner", good=False)
            tick.faults.append(update.failure)
            tick.detail = update.detail
        if update.answer is not None:
            self._latch.record("planner", good=True)
            if update.answer.request.episode == self._begun().number:
                self._join(update.answer, tick)

    def _join(self, answer: Answer, tick: _Tick) -> None:
        episode, request = self._begun(), answer.request
        before = self._follower.upcoming(1)
        # Steps on hold or on the safe action do not count: whoever stood still for a plan begins it at its beginning.
        self._follower.join(answer.plan, observation=request.observation, elapsed=episode.driven)
        after = self._follower.upcoming(1)
        if episode.step > episode.due_at:
            tick.faults.append("late_plan")
        if len(before) and len(after):
            tick.jump = float(np.abs(after - before).max())
        tick.joined = True
        episode.made_at, episode.context_level = request.step, answer.context_level

    def _followed(self, tick: _Tick) -> np.ndarray | None:
        """What the follower would do, if it may and can."""
        if self.is_stopped or self._begun().blind_steps > self._blind_steps:
            return None
        action = self._follower.act(tick.verdict.observation)
        if action is None:
            return None
        good = self._ladder.admits(action)
        self._latch.record("action", good=good)
        if not good:
            tick.faults.append("bad_action")
        return action if good else None

    def _wait_for_plan(self, tick: _Tick, deadline: float) -> None:
        """Wait for a plan until shortly before the deadline, there being nothing else to do."""
        until = deadline - _SPARE * self.period
        # A plan that joins may be used up already, if the robot has driven on for longer than it is. A planner that has
        # failed is not asked over and over within a step: three failures in milliseconds would stop the robot.
        while not (self._follower.remaining or self.is_stopped) and (remaining := until - self._clock()) > 0:
            if self._planning.is_ready and ("planner_failed" in tick.faults or not self._wants_plan(tick)):
                return
            self._take(self._ask(tick), tick)
            self._take(self._planning.update(timeout=min(remaining, _LONGEST_WAIT)), tick)

    def _wants_plan(self, tick: _Tick) -> bool:
        episode, observation = self._begun(), tick.verdict.observation
        if observation is None or not self._follower.needs_plan(observation):
            return False
        if episode.made_at is None or self._follower.remaining <= self.delay_steps:
            return True
        is_due = episode.step - episode.made_at >= self._replan_every
        return is_due or self._follower.disagreement(observation) > self._tolerance

    def _ask(self, tick: _Tick) -> Update:
        """Ask an idle planner for a plan if one is wanted, or else whether it is still there."""
        if not self._planning.is_ready:
            return Update()
        observation = tick.verdict.observation
        if observation is None or not self._wants_plan(tick):
            return self._planning.ping()
        episode, delay = self._begun(), self.delay_steps
        episode.due_at, episode.driven = episode.step + delay, 0
        return self._planning.submit(
            Request(
                episode=episode.number,
                step=episode.step,
                seed=int(episode.seeds.integers(2**31)),
                observation=observation,
                observation_noise=tick.verdict.noise,
                goal=episode.goal,
                committed=self._follower.upcoming(delay),
            )
        )

    def _is_on_time(self, tick: _Tick) -> bool:
        """Whether a plan is followed that nothing speaks against."""
        is_late = self._planning.is_busy and self._begun().step > self._begun().due_at
        return tick.verdict.fault is None and not is_late and not self._planning.is_down

    def _info(self, tick: _Tick, source: str) -> ActInfo:
        episode = self._begun()
        return ActInfo(
            step=episode.step,
            source=source,
            faults=tuple(tick.faults),
            plan_age=-1 if episode.made_at is None else episode.step - episode.made_at,
            delay_steps=self.delay_steps,
            joined=tick.joined,
            jump=tick.jump,
            context_level=episode.context_level,
            detail=tick.detail,
        )
