"""The receding-horizon agent: plan, act for a while, plan again."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from dfplan.agent.beliefs import Beliefs
from dfplan.agent.controllers import Controller, PlannedActions
from dfplan.agent.delay import AT_ONCE, InferenceDelay
from dfplan.agent.jumps import has_jumped
from dfplan.agent.plan_maker import PlanMaker
from dfplan.arrays import as_number, check_whole, checked_indices, checked_levels, checked_plan, checked_rows
from dfplan.errors import UserError, check_kind
from dfplan.planner import Belief, Planner
from dfplan.planner.obligations import Info, Obligations, obligations_of
from dfplan.types import Bounds, PlanEvent, Reach


class MPCAgent:
    """Plans for a batch of environments every ``replan_every`` steps, or when a plan fails, and acts in between.

    ::

        step         0        …   replan_every   …   2 * replan_every
        plan         ●────────────●──────────────────●────────────────     horizon steps each
        controller   actions      actions            actions

    An environment is planned for anew, if its controller has any use for a plan (:meth:`Controller.needs_plan`), when

    - it has no plan yet, or its plan is ``replan_every`` steps old ("scheduled");
    - its controller finds it farther than ``replan_when`` from where the plan has it ("disagreement"): it was pushed,
      is stuck, is led by actions that do not do what they were planned to do, or is where it cannot have moved to:
      the environment has reset itself;
    - its plan has run out ("ended"), unless the agent plans once an episode.

    Where the planner has constraints, a plan that keeps all of them is not replaced for its age, as long as the world
    is where it should be; way-points that were passed are not asked for again; :attr:`info` flags what is broken.

    The goal stays the same however often it is planned for. It is not tied to the end of the horizon, so that the plan
    may arrive at any time before (a free horizon).

    Where the planner remembers (``history`` of its settings), plans follow from what was done and seen since the
    episode began. What is believed is brought up to date with every token, so that plans begin where tokens do.

    Args:
        planner: makes the plans.
        controller: turns them into actions.
        replan_every: steps between two plans, at most; 0 sets no such limit: plans once an episode (open loop), or
            whenever plan and world disagree.
        horizon: steps that a plan looks ahead.
        replan_when: distance between plan and world, in environment units, above which to plan anew; None is never.
        episode_steps: steps of an episode, so that no plan looks beyond its end (a shrinking horizon); None is not to
            care.
        on_plan: called with a :class:`~dfplan.types.PlanEvent` after each planning.
        clips: whether observations beyond the planner's reach are moved to its edge and counted, not refused.
        delay: steps after which a plan is there, and what the planner knows of it.

    Attributes:
        num_clipped: observations that were, since the agent was made.
    """

    def __init__(
        self,
        planner: PlanMaker,
        *,
        controller: Controller,
        replan_every: int,
        horizon: int,
        replan_when: float | None = None,
        episode_steps: int | None = None,
        on_plan: Callable[[PlanEvent], None] | None = None,
        clips: bool = False,
        delay: InferenceDelay = AT_ONCE,
    ) -> None:
        check_whole(0, replan_every=replan_every)  # 0 is no limit
        check_whole(1, horizon=horizon)
        if replan_when is not None and not as_number(replan_when) > 0:
            raise UserError(f"replan_when must be above 0, or None to keep to replan_every; got {replan_when!r:.60}")
        check_whole(1, episode_steps=1 if episode_steps is None else episode_steps)
        check_kind(PlanMaker, such_as="a dfplan.Planner, or what is asked for plans like one", planner=planner)
        check_kind(Controller, such_as="one such as dfplan.PlannedActions(2)", controller=controller)
        check_kind(InferenceDelay, such_as="dfplan.agent.InferenceDelay(steps)", delay=delay)
        if not (on_plan is None or callable(on_plan)):
            raise UserError(f"on_plan must be a function of a PlanEvent, or None; got {on_plan!r:.60}")
        delay.check(planner, controller)
        remembering = planner if isinstance(planner, Planner) and planner.remembers else None
        if remembering is not None and replan_every % remembering.steps_per_token:
            raise UserError(
                f"a planner that remembers plans where a token of {remembering.steps_per_token} steps begins; "
                f"replan_every must be a multiple of that; got {replan_every}"
            )
        self.planner = planner
        self._remembering, self._beliefs = remembering, None
        self._reach: Reach | None = getattr(planner, "reach", None)
        self._action_bounds: Bounds | None = getattr(planner, "action_bounds", None)
        self.controller = controller
        self.replan_every, self.replan_when = replan_every, replan_when
        self.horizon, self.episode_steps = horizon, episode_steps
        self.on_plan = on_plan
        self.clips, self.num_clipped = clips, 0
        self.delay = delay
        self._obligations: Obligations | None = obligations_of(planner)
        self._step, self._begun = 0, np.zeros(0, dtype=np.int64)  # the latter at which step, per environment
        self._over = np.zeros(0, dtype=bool)  # which environments are not planned for any more
        self._generators: list[torch.Generator] = []
        self._goals = np.zeros((0, 0))
        self._seen = np.zeros((0, 0))  # the last observation of each environment; NaN where there is none
        self._planned_at = np.zeros(0)  # the step of each environment's last plan; -inf where it has none

    def reset(self, *, seeds: Sequence[int], goals: np.ndarray | None = None) -> None:
        """Begin new episodes.

        Args:
            seeds: one per environment; the plans of row k depend on seed k alone.
            goals: ``(batch, goal_dim)``; None where there are none, or none is to be shown to the planner.
        """
        check_kind((Sequence, np.ndarray), such_as="a list of whole numbers, one per environment", seeds=seeds)
        if not len(seeds):
            raise UserError("seeds must be whole numbers, one per environment; got none")
        if goals is not None and (len(seeds),) != np.shape(goals)[:1]:
            raise UserError(f"each goal needs a seed; got {len(seeds)} seeds and goals of shape {np.shape(goals)}")
        goals = np.zeros((len(seeds), 0)) if goals is None else self._checked_goals(goals, num_rows=len(seeds))
        self._step, self._over = 0, np.zeros(len(seeds), dtype=bool)
        self._beliefs = None if self._remembering is None else Beliefs(self._remembering, len(seeds))
        self._begun = np.zeros(len(goals), dtype=np.int64)
        for seed in seeds:
            check_whole(0, seed=seed)
        self._generators = [torch.Generator().manual_seed(int(seed)) for seed in seeds]
        self._planned_at = np.full(len(goals), -np.inf)
        self._goals = goals
        self._seen = np.full((len(goals), self.planner.observation_dim), np.nan)
        self.controller.reset(self._goals)
        if self._obligations is not None:
            self._obligations.reset(len(goals))

    def restart(self, indices: np.ndarray, *, goals: np.ndarray | None = None) -> None:
        """Begin new episodes in some of the environments while the others go on; their noise goes on as well.

        Args:
            indices: ``(restarted,)`` which environments.
            goals: ``(restarted, goal_dim)``; None is those that they have.
        """
        indices = checked_indices(indices, num_rows=len(self._goals))
        goals = self._goals[indices] if goals is None else self._checked_goals(goals, num_rows=len(indices))
        self._goals[indices], self._begun[indices], self._over[indices] = goals, self._step, False
        if self._beliefs is not None:
            self._beliefs.begin(indices, step=self._step)
        self._planned_at[indices] = -np.inf
        self._seen[indices] = np.nan
        self.controller.restart(indices, goals)
        if self._obligations is not None:
            self._obligations.restart(indices)

    def finish(self, indices: np.ndarray) -> None:
        """The episodes of the environments ``indices`` are over: nothing is planned for them until they restart."""
        indices = checked_indices(indices, num_rows=len(self._goals))
        self._over[indices] = True
        if self._beliefs is not None:
            self._beliefs.end(indices)

    @property
    def info(self) -> Info:
        """What is broken of what must be kept (:attr:`Obligations.info`); empty where nothing must be."""
        return {} if self._obligations is None else self._obligations.info

    def act(self, observations: np.ndarray, *, levels: np.ndarray | None = None) -> np.ndarray:
        """Actions ``(batch, action_dim)`` float32, within their bounds, for observations ``(batch, observation_dim)``.

        Where an observation lies farther from the last one than the robot can have moved, and it is not the robot as it
        was but pushed, its environment has begun a new episode that nobody told of: it is planned for anew, towards the
        goal that it has. With a planner that remembers, it is its second observation there that tells: a single one may
        be noise.

        Args:
            observations: ``(batch, observation_dim)``.
            levels: ``(batch,)`` how noisy each is known to be, 0 … 1; None is as the planner's settings have it.

        Raises:
            UserError: shapes that do not fit, values that are not finite or far from the data, or a plan that is not.
        """
        if np.shape(observations)[:1] != (len(self._goals),):
            raise UserError(
                f"reset() began {len(self._goals)} episodes, act() got observations of shape {np.shape(observations)}; "
                "call reset(seeds=…, goals=…) with one goal per environment first"
            )
        levels = None if levels is None else checked_levels(levels, num_rows=len(self._goals))
        observations = self._checked_observations(observations, bounds=self._observation_bounds(levels))
        if self._beliefs is None:
            jumped = self.jumped(observations)
            self._begun[jumped & (self._step - self._begun >= (self.episode_steps or np.inf))] = self._step
        else:
            jumped = self._beliefs.look(observations, self._shown(slice(None)), levels=levels, step=self._step)
            self._begun[jumped] = self._step
        if self._obligations is not None:
            self._obligations.restart(np.flatnonzero(jumped))
            self._obligations.observe(observations[:, : self.planner.goal_dim])
        self._seen = observations.astype(np.float64)
        reasons = self._reasons(observations, jumped)
        wanting = np.flatnonzero(reasons != "")
        if self._beliefs is not None:
            for rows, belief in self._beliefs.of(wanting):
                self._plan(rows, observations[rows], reasons[rows], belief=belief)
        elif len(wanting):
            belief = None if levels is None else self._believe(observations[wanting], wanting, levels[wanting])
            self._plan(wanting, observations[wanting], reasons[wanting], belief=belief)
        actions = self.controller.act(observations)
        if not np.isfinite(actions).all():
            raise UserError(f"{type(self.controller).__name__} made actions that are not finite of a plan that is")
        low, high = (-1, 1) if self._action_bounds is None else (self._action_bounds.low, self._action_bounds.high)
        actions = np.clip(actions, low, high)
        if self._beliefs is not None:
            self._beliefs.act(actions, step=self._step)
        self._step += 1
        return actions

    def jumped(self, observations: np.ndarray) -> np.ndarray:
        """Which rows begin an episode that nobody told of, ``(batch,)`` bool: see :meth:`act`.

        Args:
            observations: ``(batch, observation_dim)``, or places ``(batch, goal_dim)`` alone.
        """
        if self._reach is None or not self._seen.size:
            return np.zeros(len(observations), dtype=bool)
        return has_jumped(observations, self._seen, reach=self._reach, goal_dim=self.planner.goal_dim)

    def _shown(self, rows: np.ndarray | slice) -> np.ndarray | None:
        """Goals ``(rows, goal_dim)`` as they are shown to the planner; None where none is."""
        goals = self._goals[rows]
        return goals if goals.shape[1] == self.planner.goal_dim else None

    def _observation_bounds(self, levels: np.ndarray | None) -> Bounds | None:
        if levels is not None and isinstance(self.planner, Planner):
            return self.planner.observation_bounds(levels)
        return None if self._reach is None else self._reach.observations

    def _checked_observations(self, observations: np.ndarray, *, bounds: Bounds | None) -> np.ndarray:
        """Observations ``(batch, observation_dim)`` that can be planned from."""
        sizes = {"num_rows": len(self._goals), "width": self.planner.observation_dim}
        rows = checked_rows("observations", observations, bounds=None if self.clips else bounds, **sizes)
        if not self.clips or bounds is None:
            return rows
        near = np.clip(rows, bounds.low, bounds.high)  # in double precision: rounded, it might lie beyond the edge
        clipped = (near != rows).any(axis=1)
        self.num_clipped += int((clipped & ~self._over).sum())
        return near if clipped.any() else rows

    def _believe(self, observations: np.ndarray, rows: np.ndarray, levels: np.ndarray) -> Belief:
        if not isinstance(self.planner, Planner):
            raise UserError(f"{type(self.planner).__name__} takes observations as they are; leave levels out")
        return self.planner.believe(observations, self._shown(rows), levels=levels)

    def _checked_goals(self, goals: np.ndarray, *, num_rows: int) -> np.ndarray:
        """A copy of goals ``(num_rows, goal_dim)`` in double precision."""
        bounds, width = None if self._reach is None else self._reach.goals, self.planner.goal_dim
        return np.array(checked_rows("goals", goals, num_rows=num_rows, width=width, bounds=bounds), np.float64)

    def _reasons(self, observations: np.ndarray, jumped: np.ndarray) -> np.ndarray:
        """Why each environment is to be planned for now, ``(batch,)``; "" where it is not."""
        age = self._step - self._planned_at
        apart = self.controller.disagreement(observations)
        reasons = np.full(len(observations), "", dtype="<U12")
        if self.replan_every or self.replan_when is not None:
            reasons[np.isinf(apart)] = "ended"
        if self.replan_when is not None:
            reasons[np.isfinite(apart) & (apart > self.replan_when)] = "disagreement"
        due = age >= (self.replan_every or np.inf)
        if self._obligations is not None:
            due &= ~self._obligations.is_content(apart, within=getattr(self.controller, "followed_within", 0.0))
        reasons[jumped] = "disagreement"
        reasons[due] = "scheduled"
        reasons[self._over | ~self.controller.needs_plan(observations) | (age < self.delay.steps)] = ""
        if self._beliefs is not None:
            reasons[~self._beliefs.ready(self._step, batch=len(reasons))] = ""
        return reasons

    def _horizon(self, step: int) -> int:
        """Steps to look ahead from a step of the episode."""
        horizon = self.horizon
        if self.replan_every and isinstance(self.controller, PlannedActions):
            horizon = self.delay.horizon(self.planner, horizon, replan_every=self.replan_every)
        if self.episode_steps is None:
            return horizon
        return max(1, min(horizon, self.episode_steps - step))

    def _plan(
        self, indices: np.ndarray, observations: np.ndarray, reasons: np.ndarray, *, belief: Belief | None
    ) -> None:
        began, step = time.perf_counter(), self._step - int(self._begun[indices].max())
        followed, told = self.delay.meantime(self.controller, indices, first=np.isinf(self._planned_at[indices]))
        asked: dict[str, Any] = {
            "horizon": self._horizon(step),
            "generators": [self._generators[index] for index in indices],
            **({} if self._obligations is None else {"passed": self._obligations.passed[indices]}),
            **told,
        }
        if belief is None:
            plan = self.planner.plan(observations, self._shown(indices), **asked)
        else:
            assert isinstance(self.planner, Planner)
            plan = self.planner.plan_from(belief, **asked)
        checked_plan(plan)
        seconds = time.perf_counter() - began
        self._planned_at[indices] = self._step
        if self._obligations is not None:
            self._obligations.follow(plan, indices=indices)
        self.controller.follow(plan, indices=indices, observations=observations, **followed)
        if self.on_plan is not None:
            self.on_plan(PlanEvent(indices=indices, step=step, plan=plan, seconds=seconds, reasons=reasons))

    def predict(
        self,
        observation: np.ndarray,
        state: tuple[np.ndarray, ...] | None = None,
        episode_start: np.ndarray | None = None,
        deterministic: bool = False,
    ) -> tuple[np.ndarray, tuple[np.ndarray, ...] | None]:
        """Stable-Baselines3's signature over :meth:`act`: ``(observation, …) -> (action, state)``.

        Rows where ``episode_start`` is True begin a new episode, towards the goals that they have; for goals that
        change, see :class:`~dfplan.agent.goal_policy.GoalPolicy`. The agent keeps its own memory, so ``state`` is
        passed through; ``deterministic`` is accepted because callers pass it, and plans are a function of the seeds
        either way.
        """
        single = np.ndim(observation) == 1
        if episode_start is not None:
            begun = np.atleast_1d(episode_start)
            if begun.shape != (len(self._goals),) or begun.dtype.kind not in "biu":
                raise UserError(
                    f"episode_start must be {len(self._goals)} times True or False; got {episode_start!r:.60}"
                )
            self.restart(np.flatnonzero(begun))
        actions = self.act(np.atleast_2d(observation))
        return (actions[0] if single else actions), state
