"""The real-time agent: an action for every observation, on time, whatever becomes of sensor and planner."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from dfplan.arrays import as_number
from dfplan.errors import UserError
from dfplan.planner.obligations import Obligations
from dfplan.realtime.episode import ActInfo, Episode, Patience, Tick
from dfplan.realtime.followers import Follower
from dfplan.realtime.gate import ObservationGate, checked_goal
from dfplan.realtime.ladder import FaultLatch, Ladder
from dfplan.realtime.rate import RateMeter
from dfplan.realtime.supervisor import Answer, PlanningSupervisor, Request, Update
from dfplan.types import Bounds

# Of a period, left before a deadline when a plan is waited for. To join it and act takes 1.5 ms; machines are held up.
_SPARE = 0.375
_LONGEST_WAIT = 1.0  # seconds between two looks at the planner while waiting


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
        patience: how much may go wrong for how long, and what is done then.
        obligations: what must be kept, and the planner was told of (:func:`~dfplan.realtime.process.planner_command`):
            which way-points were passed is told to it from then on, and what is broken to the caller; None is nothing.
        goal_bounds: ``(goal_dim,)`` each, goals outside are refused; None is the gate's limits of as many leading
            numbers of an observation as a goal has, for goals that are about these.
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
        patience: Patience | None = None,
        obligations: Obligations | None = None,
        goal_bounds: Bounds | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if replan_every < 1:
            raise UserError(f"replan_every must be 1 or more; got {replan_every}")
        self._planning = planning
        self._gate = gate
        self._follower = follower
        self._replan_every = replan_every
        self._patience = patience = Patience() if patience is None else patience
        self._obligations = obligations
        self._goal_bounds = goal_bounds or Bounds(gate.low, gate.high)
        self._goal_dim = None if goal_bounds is None else len(goal_bounds.low)
        self._clock, self._acted_at = clock, -np.inf
        self._is_clocked = period is not None
        self._rate = RateMeter(period)
        self._ladder = Ladder(
            low=planning.action_low,
            high=planning.action_high,
            hold_steps=patience.hold_steps,
            safe_action=patience.safe_action,
        )
        failures = patience.max_failures
        self._latch = FaultLatch(
            {"observation": patience.max_bad_observations, "planner": failures, "action": failures}
        )
        self._episode: Episode | None = None

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
            goal: ``(goal_dim,)``.

        Raises:
            UserError: a goal where the robot cannot be; the old episode goes on.
        """
        about = slice(np.size(goal) if self._goal_dim is None else self._goal_dim)
        goal = checked_goal(goal, low=self._goal_bounds.low[about], high=self._goal_bounds.high[about])
        number = 0 if self._episode is None else self._episode.number + 1
        self._episode = Episode(number, goal, np.random.default_rng(seed))
        self._gate.reset()
        if self._obligations is not None:
            self._obligations.reset(1)
        self._follower.reset(goal)
        self._ladder.reset()
        self._rate.reset()

    def release(self) -> None:
        """Let a latched agent go on; a planner that is not there any more is started anew."""
        if self._latch.cause == "planner" and not self._planning.is_ready:
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
        tick = Tick(self._gate.check(observation, stamp=now if stamp is None else stamp, now=now))
        self._note_time(tick, now, steps)
        self._note_observation(tick, steps)
        if deadline is not None and np.isnan(deadline := as_number(deadline)):
            tick.faults.append("bad_deadline")
            deadline = None
        if not self.is_stopped:
            self._take(self._planning.update(next_look=self._next_look), tick)
        followed = self._followed(tick)
        if followed is None and deadline is not None:
            self._wait_for_plan(tick, deadline)
            followed = self._followed(tick)
        action, source = self._ladder.choose(followed, stopped=self.is_stopped, seen=episode.seen)
        if source in ("safe", "stopped") and self._ladder.safe_action_failed:
            tick.faults.append("bad_safe_action")
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

    def _begun(self) -> Episode:
        if self._episode is None:
            raise UserError("no episode has begun; call reset(seed=…, goal=…) before act()")
        return self._episode

    def _note_time(self, tick: Tick, now: float, steps: int) -> None:
        if not self._acted_at <= now < np.inf:
            tick.faults.append("clock")
        if np.isfinite(now):
            self._acted_at = now
        if steps > 1:
            tick.faults.append("missed_steps")

    def _note_observation(self, tick: Tick, steps: int) -> None:
        episode, verdict = self._begun(), tick.verdict
        self._latch.record("observation", good=verdict.fault is None)
        episode.unseen_steps += steps
        if self._obligations is not None and verdict.observation is not None:
            places = verdict.observation[None, : len(episode.goal)]
            self._obligations.observe(places, steps=max(episode.unseen_steps, 1))
            episode.unseen_steps = 0
        if verdict.fault is None:
            episode.seen, episode.blind_steps = verdict.observation, 0
        else:
            episode.blind_steps += steps
            tick.faults.append(verdict.fault)

    def _take(self, update: Update, tick: Tick) -> None:
        """Take what the planner says: go over to a plan, or note a failure."""
        if update.failure is not None:
            self._latch.record("planner", good=False)
            tick.faults.append(update.failure)
            tick.detail = update.detail
        if update.answer is not None:
            problem = self._join(update.answer, tick) if self._is_of_this_episode(update.answer) else ""
            self._latch.record("planner", good=not problem)
            if problem:
                tick.faults.append("planner_bad_answer")
                tick.detail = problem

    def _is_of_this_episode(self, answer: Answer) -> bool:
        return answer.request.episode == self._begun().number

    def _join(self, answer: Answer, tick: Tick) -> str:
        """Go over to a plan; returns what is wrong with it, if it cannot be followed."""
        episode, request = self._begun(), answer.request
        width = self._gate.high - self._gate.low
        states = answer.plan.observations
        if ((states < self._gate.low - width) | (states > self._gate.high + width)).any():
            return "a plan leads to where the robot cannot be"
        before = self._follower.upcoming(1)
        # Steps on hold or on the safe action do not count: whoever stood still for a plan begins it at its beginning.
        try:
            self._follower.join(answer.plan, observation=request.observation, elapsed=episode.driven)
        except Exception as error:  # the loop goes on, on the plan that it has
            return f"a plan cannot be followed: {type(error).__name__}: {error}"
        after = self._follower.upcoming(1)
        if episode.step > episode.due_at:
            tick.faults.append("late_plan")
        if len(before) and len(after):
            tick.jump = float(np.abs(after - before).max())
        tick.joined = True
        episode.made_at, episode.context_level = request.step, answer.context_level
        episode.broken_by_plan = answer.broken
        return ""

    def _followed(self, tick: Tick) -> np.ndarray | None:
        """What the follower would do, if it may and can."""
        if self.is_stopped or self._begun().blind_steps > self._patience.blind_steps:
            return None
        try:
            action = self._follower.act(tick.verdict.observation)
        except Exception as error:  # as good as an action that is none
            action, tick.detail = np.zeros(0), f"{type(error).__name__}: {error}"
        if action is None:
            return None
        good = self._ladder.admits(np.asarray(action))
        self._latch.record("action", good=good)
        if not good:
            tick.faults.append("bad_action")
        return action if good else None

    def _wait_for_plan(self, tick: Tick, deadline: float) -> None:
        """Wait for a plan until shortly before the deadline, there being nothing else to do."""
        until = deadline - _SPARE * self.period
        # A plan that joins may be used up already, if the robot has driven on for longer than it is. A planner that has
        # failed is not asked over and over within a step: three failures in milliseconds would stop the robot.
        while not (self._follower.remaining or self.is_stopped) and (remaining := until - self._clock()) > 0:
            if self._planning.is_ready and ("planner_failed" in tick.faults or not self._wants_plan(tick)):
                return
            self._take(self._ask(tick), tick)
            self._take(self._planning.update(timeout=min(remaining, _LONGEST_WAIT)), tick)

    def _wants_plan(self, tick: Tick) -> bool:
        episode, observation = self._begun(), tick.verdict.observation
        if observation is None or not self._follower.needs_plan(observation):
            return False
        if episode.made_at is None or self._follower.remaining <= self.delay_steps:
            return True
        is_due = episode.step - episode.made_at >= self._replan_every
        return is_due or self._follower.disagreement(observation) > self._patience.tolerance

    def _ask(self, tick: Tick) -> Update:
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
                passed=np.zeros(0) if self._obligations is None else self._obligations.passed[0].astype(np.float64),
            )
        )

    def _is_on_time(self, tick: Tick) -> bool:
        """Whether a plan is followed that nothing speaks against."""
        is_late = self._planning.is_busy and self._begun().step > self._begun().due_at
        return tick.verdict.fault is None and not is_late and not self._planning.is_down

    def _info(self, tick: Tick, source: str) -> ActInfo:
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
            broken_by_plan=episode.broken_by_plan,
            broken_by_driving=() if self._obligations is None else self._obligations.info["broken_by_driving"][0],
        )
