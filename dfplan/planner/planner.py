"""The planner: many candidate plans towards a goal, denoised together; the one that arrives first is chosen."""

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dfplan.arrays import check_whole, checked_plan, checked_rows
from dfplan.errors import UserError, check_kind
from dfplan.models.forcing_model import ForcingModel
from dfplan.planner.belief import Belief
from dfplan.planner.believer import check_generators, without_gradients
from dfplan.planner.choice import Candidates, choose_plans, drafts_of
from dfplan.planner.constraints import Constraints, Judgement, as_constraints
from dfplan.planner.draft import Draft
from dfplan.planner.objectives import Objective
from dfplan.planner.settings import PlannerSettings
from dfplan.planner.window_denoiser import WindowDenoiser
from dfplan.types import Plan

WORLDS_AWAY = 10.0  # times as wide as where goals may lie, beyond it


class Planner(WindowDenoiser):
    """Plans from observations to goals; also predicts what given actions lead to.

    Args:
        model: the trained model.
        settings: how to plan.
        objective: one more to guide plans by gradients, beside those of the settings.
        constraints: what plans must keep beside what the settings say: a list of
            :class:`~dfplan.planner.constraints.Constraints` and of functions that judge places
            ``(steps + 1, dim)`` of a plan: 0 or more is kept.
    """

    def __init__(
        self,
        model: ForcingModel,
        *,
        settings: PlannerSettings,
        objective: Objective | None = None,
        constraints: Constraints | Judgement | Sequence[Constraints | Judgement] = (),
    ) -> None:
        check_kind(ForcingModel, such_as="a planner of dfplan.load", model=model)
        check_kind(PlannerSettings, such_as="dfplan.PlannerSettings(), with what is to be otherwise", settings=settings)
        self.constraints = settings.guidance.must_keep() & as_constraints(constraints)
        settings = replace(settings, guidance=settings.guidance.with_constraints(self.constraints))
        super().__init__(model, settings=settings, objective=objective)
        if self.constraints:
            self.scorer = self.scorer.keeping(self.constraints)
        if places := self.constraints.waypoints:
            # One that cannot be reached is missed, and said to be; one of another world is a mistake.
            bounds = self.reach.goals.widened(WORLDS_AWAY)
            checked_rows("waypoints", places, num_rows=len(places), width=self.goal_dim, bounds=bounds)

    @property
    def plans_parts(self) -> bool:
        """Whether there are constraints or a map was told, and plans are made part by part so that they keep them."""
        asked = bool(self.constraints) or getattr(self.scorer, "plans_by_parts", False)
        return asked and self.settings.guidance.method != "chosen"

    @property
    def looks_ahead(self) -> bool:
        """Whether what comes late in a plan can change what comes early: by choice, guidance, or the network itself."""
        is_one = self.settings.num_candidates == 1 and isinstance(self.settings.matrix, str)
        return not (is_one and self.denoiser.causal and self.objective is None and not self.constraints)

    @property
    def supports_rtc(self) -> bool:
        """Whether plans can begin with committed actions (real-time chunking, arXiv 2506.07339)."""
        return True

    @without_gradients
    def plan(
        self,
        observations: np.ndarray,
        goals: np.ndarray | None = None,
        *,
        horizon: int,
        generators: Sequence[torch.Generator],
        committed: Sequence[np.ndarray] | None = None,
        passed: np.ndarray | None = None,
        record_history: bool = False,
    ) -> Plan:
        """Plan for a batch of environments from the present observation alone: :meth:`plan_from` what it says.

        Args:
            observations: ``(batch, observation_dim)``.
            goals: ``(batch, goal_dim)``; None shows none.
            horizon: and the others: as of :meth:`plan_from`.
            generators: likewise.
            committed: likewise.
            passed: likewise.
            record_history: likewise.

        Raises:
            UserError: shapes that do not fit, values that are not finite or far from the data, or a horizon below 1.
        """
        check_generators(generators)
        return self.plan_from(
            self._believe(observations, goals, levels=None, num_rows=len(generators)),
            horizon=horizon,
            generators=generators,
            committed=committed,
            passed=passed,
            record_history=record_history,
        )

    @without_gradients
    def plan_from(
        self,
        belief: Belief,
        *,
        horizon: int,
        generators: Sequence[torch.Generator],
        committed: Sequence[np.ndarray] | None = None,
        passed: np.ndarray | None = None,
        record_history: bool = False,
    ) -> Plan:
        """Plan for a batch of environments, from what is known of them.

        Each environment's noise comes from its own generator, so that its plan does not depend on the others'. Where
        there are constraints, ``verdict`` of the plan says what it keeps.

        Args:
            belief: of :meth:`believe` and :meth:`update`.
            horizon: steps to look ahead; rounded up to whole tokens. The plan of an environment ends earlier, once a
                quorum of its own candidates has arrived or ``budget_ms`` for every plan have passed.
            generators: one CPU generator per environment.
            committed: per environment ``(steps, action_dim)``, actions with which its plan has to begin, because they
                will be executed before the plan is there; as few as none.
            passed: ``(batch, waypoints)`` bool, way-points that were passed before; None is none.
            record_history: keep the partly denoised states of the chosen plans of the first window.

        Raises:
            UserError: shapes that do not fit, a horizon below 1, or history where plans are made part by part.
        """
        self._check_asked(belief, horizon=horizon, generators=generators, committed=committed)
        budget = math.inf if self.settings.budget_ms is None else self.settings.budget_ms / 1000
        deadline = time.perf_counter() + len(generators) * budget
        shape = (len(generators), len(self.constraints.waypoints))
        if passed is not None and np.shape(passed) != shape:
            raise UserError(f"passed must have shape {shape}, one row per environment; got {np.shape(passed)}")
        asked: dict[str, Any] = {
            "num_tokens": math.ceil(horizon / self.model.layout.steps_per_token),
            "generators": generators,
            "committed": committed,
            "deadline": deadline,
            "record_history": record_history,
        }
        if self.plans_parts:
            assert belief.goals is not None
            parts = self.scorer.plan_parts(self, belief.observations, belief.goals, passed=passed, **asked)
            return checked_plan(parts)
        candidates = self.sample(belief, **asked)
        if self.settings.roll_out:
            candidates = self.roll_out(candidates, belief, generators=generators, committed=committed)
        return checked_plan(choose_plans(self, candidates, belief.observations, belief.goals, passed=passed))

    def _check_asked(
        self,
        belief: Belief,
        *,
        horizon: int,
        generators: Sequence[torch.Generator],
        committed: Sequence[np.ndarray] | None = None,
    ) -> None:
        check_kind(Belief, such_as="one of Planner.believe or Planner.update", belief=belief)
        check_generators(generators)
        check_whole(1, horizon=horizon)
        if committed is not None:
            check_kind((Sequence, np.ndarray), such_as="None, or actions (steps, dim) in a list", committed=committed)
            if len(committed) != len(generators):
                raise UserError(f"committed must be actions (steps, dim) for each generator; got {len(committed)}")
        if len(generators) != len(belief):
            raise UserError(f"{len(belief)} environments need as many generators; got {len(generators)}")
        if self.plans_parts and (belief.num_tokens or belief.goals is None):
            raise UserError(
                "plans that must keep something are made part by part, each from one observation to one goal; give "
                "goals and history=0, or guidance.method=chosen"
            )

    def sample(
        self,
        belief: Belief,
        *,
        num_tokens: int,
        generators: Sequence[torch.Generator],
        committed: Sequence[np.ndarray] | None = None,
        deadline: float = math.inf,
        record_history: bool = False,
    ) -> Candidates:
        """Denoise the candidates of every environment, window by window, until enough of them have arrived.

        The first window has what was done and seen before in front of it, later ones the last state planned.

        Args:
            belief: as of :meth:`plan_from`.
            num_tokens: most tokens of a plan.
            generators: as of :meth:`plan_from`.
            committed: likewise.
            deadline: on the clock of ``time.perf_counter``, when to end with what is finished.
            record_history: as of :meth:`plan_from`.
        """
        count, layout = self.settings.num_candidates, self.model.layout
        belief, known = self._told(belief.repeat(count), committed, num_tokens)
        total, goals = len(belief), belief.goals
        tokens = torch.zeros(total, num_tokens, layout.token_dim, device=self.device)
        lengths = torch.zeros(total, dtype=torch.int64, device=self.device)
        arrived = torch.zeros(total, dtype=torch.bool, device=self.device)
        evaluations = torch.zeros(total, 2, dtype=torch.int64, device=self.device)
        history: list[Tensor] = []
        # A plan that is to be shown whole, or may have to pass more places, does not end where it touches the goal.
        goes_on = bool(self.settings.guidance.waypoints) and not self.plans_parts
        ends_early = not record_history and not goes_on and goals is not None
        rows, first, start = torch.arange(total, device=self.device), 0, belief.observations
        while first < num_tokens:
            part = slice(first, min(first + max(self.window_tokens - belief.num_tokens, 1), num_tokens))
            goal = None if goals is None else goals[rows]
            denoised = self._denoise(
                belief,
                part.stop - part.start,
                generators=[generators[index] for index in (rows[::count] // count).tolist()],
                guidance=self.guidance(start[rows], goal, before=tokens[rows, :first]),
                arrived=arrived[rows] if ends_early else None,
                deadline=deadline,
                known_actions=None if known is None else known[rows, part],
                on_row=(lambda _, each: history.append(each)) if record_history and not first else None,
                halve_after=self._halve_after,
            )
            tokens[rows, part], finished = denoised.tokens, denoised.lengths
            evaluations[rows] += torch.stack([denoised.evaluations, denoised.token_evaluations], dim=1)
            lengths[rows] += finished
            arrived[rows] |= self._reaches(tokens[rows, part], goal, finished)
            going = torch.ones_like(rows, dtype=torch.bool) if goes_on else ~self._enough(arrived[rows], count)
            if not going.any() or time.perf_counter() >= deadline:
                break
            last = self.model.normalizer.observations_back(layout.unpack(tokens[rows, part])[2][:, -1])
            rows, first = rows[going], part.stop
            belief = self.belief_of(last[going], None if goals is None else goals[rows])
        return Candidates(tokens, lengths, evaluations, history)

    def _told(
        self, belief: Belief, committed: Sequence[np.ndarray] | None, num_tokens: int
    ) -> tuple[Belief, Tensor | None]:
        """What is known with the number of committed steps, if weights are shown it; and these actions, or None."""
        known = None if committed is None else self._known_actions(committed, num_tokens)
        if known is None or not self.model.committed_shown:
            return belief, known
        layout = self.model.layout
        steps = known.isfinite().flatten(1).sum(dim=1) / layout.action_dim
        return replace(belief, tokens=layout.with_committed(belief.tokens, steps), state=None), known

    @property
    def _halve_after(self) -> int | None:
        """Clean tokens after which half of the candidates go: where the best is chosen, by what is denoised alone."""
        is_chosen = not (self.settings.roll_out or self.settings.temperature or self.constraints)
        return self.settings.halve_after if is_chosen else None

    def roll_out(
        self,
        candidates: Candidates,
        belief: Belief,
        *,
        generators: Sequence[torch.Generator],
        committed: Sequence[np.ndarray] | None = None,
    ) -> Candidates:
        """What the same weights, as a world model, say that the actions of candidates lead to and earn.

        A plan that was denoised as a whole is optimistic: it has the rewards that it would like. Actions are first
        spread by noise, where the settings say so, so that there is more to choose from.

        Args:
            candidates: of :meth:`sample`.
            belief: as of :meth:`plan_from`.
            generators: likewise.
            committed: likewise; these actions are not spread.
        """
        normalizer, count, num_tokens = self.model.normalizer, self.settings.num_candidates, candidates.tokens.shape[1]
        actions = self.model.layout.unpack(candidates.tokens)[0]
        if self.settings.spread:
            shape = (count, *actions.shape[1:])
            noise = torch.cat([torch.randn(shape, generator=generator) for generator in generators])
            actions = actions + self.settings.spread * noise.to(self.device)
        actions = normalizer.actions(self.model.clipped(normalizer.actions_back(actions)))
        actions = actions.reshape(len(actions), num_tokens, self.model.layout.num_action_slots)
        known = None if committed is None else self._known_actions(committed, num_tokens)
        if known is not None:
            actions = torch.where(known.isnan(), actions, known)
        # Candidates of an environment share their noise: they are compared by their actions, not by its luck.
        seeds = [int(torch.randint(2**62, (1,), generator=generator)) for generator in generators]
        alike = [torch.Generator().manual_seed(seed) for seed in seeds for _ in range(count)]
        tokens, evaluations = [], candidates.evaluations.clone()
        belief, first = belief.repeat(count), 0
        goals = belief.goals
        while first < num_tokens:
            part = actions[:, first : first + max(self.window_tokens - belief.num_tokens, 1)]
            denoised = self._denoise(belief, part.shape[1], generators=alike, known_actions=part)
            tokens.append(denoised.tokens)
            evaluations += torch.stack([denoised.evaluations, denoised.token_evaluations], dim=1)
            last = normalizer.observations_back(self.model.layout.unpack(denoised.tokens)[2][:, -1])
            belief, first = self.belief_of(last, goals), first + part.shape[1]
        return replace(candidates, tokens=torch.cat(tokens, dim=1), evaluations=evaluations)

    def draft(
        self,
        states: np.ndarray,
        ends: np.ndarray,
        *,
        num_tokens: int,
        generators: Sequence[torch.Generator],
        committed: Sequence[np.ndarray] | None = None,
        deadline: float = math.inf,
        record_history: bool = False,
    ) -> tuple[list[Draft], list[Tensor]]:
        """Candidates for parts of plans, and their history.

        Args:
            states: ``(parts, observation_dim)`` where each part begins.
            ends: ``(parts, goal_dim)`` where it is to end.
            generators: one a part.
            num_tokens: as of :meth:`sample`.
            committed: likewise.
            deadline: likewise.
            record_history: likewise.
        """
        context, goal = (torch.as_tensor(each, dtype=torch.float32, device=self.device) for each in (states, ends))
        candidates = self.sample(
            self.belief_of(context, goal),
            num_tokens=num_tokens,
            generators=generators,
            committed=committed,
            deadline=deadline,
            record_history=record_history,
        )
        return drafts_of(self, candidates, context, goal), candidates.history
