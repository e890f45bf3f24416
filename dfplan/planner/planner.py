"""The planner: many candidate plans towards a goal, denoised together; the one that arrives first is chosen."""

import functools
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dfplan.arrays import checked_plan
from dfplan.errors import UserError
from dfplan.models.forcing_model import ForcingModel
from dfplan.planner.choice import Candidates, choose_plans, drafts_of
from dfplan.planner.constraints import Constraints, Judgement, as_constraints
from dfplan.planner.draft import Draft
from dfplan.planner.objectives import Objective
from dfplan.planner.settings import PlannerSettings
from dfplan.planner.window_denoiser import WindowDenoiser
from dfplan.types import Plan


def _without_gradients(method: Callable[..., Plan]) -> Callable[..., Plan]:
    """Run a method of a planner in inference mode, which is quicker; guidance differentiates, and that forbids it."""

    @functools.wraps(method)
    def run(self: "Planner", *arguments: Any, **options: Any) -> Plan:
        with torch.inference_mode() if self.objective is None else torch.no_grad():
            return method(self, *arguments, **options)

    return run


class Planner(WindowDenoiser):
    """Plans from observations to goals; also predicts what given actions lead to.

    Args:
        model: the trained model.
        settings: how to plan.
        objective: one more to guide plans by gradients, beside those of the settings.
        constraints: what plans must keep beside what the settings say: a list of
            :class:`~dfplan.planner.constraints.Constraints` and of functions that judge positions
            ``(steps + 1, dim)`` of a plan: 0 or more is kept.
    """

    def __init__(
        self,
        model: ForcingModel,
        *,
        settings: PlannerSettings,
        objective: Objective | None = None,
        constraints: Constraints | Sequence[Constraints | Judgement] = (),
    ) -> None:
        self.constraints = settings.guidance.must_keep() & as_constraints(constraints)
        settings = replace(settings, guidance=settings.guidance.with_constraints(self.constraints))
        super().__init__(model, settings=settings, objective=objective)
        if self.constraints:
            self.scorer = self.scorer.keeping(self.constraints)

    @property
    def plans_parts(self) -> bool:
        """Whether there are constraints, and plans are made part by part so that they keep them."""
        return bool(self.constraints) and self.settings.guidance.method != "chosen"

    @_without_gradients
    def plan(
        self,
        observations: np.ndarray,
        goals: np.ndarray,
        *,
        horizon: int,
        generators: Sequence[torch.Generator],
        committed: Sequence[np.ndarray] | None = None,
        passed: np.ndarray | None = None,
        record_history: bool = False,
    ) -> Plan:
        """Plan for a batch of environments.

        Each environment's noise comes from its own generator, so that its plan does not depend on the others'. Where
        there are constraints, ``verdict`` of the plan says what it keeps.

        Args:
            observations: ``(batch, observation_dim)``.
            goals: ``(batch, position_dim)``.
            horizon: steps to look ahead; rounded up to whole tokens. The plan of an environment ends earlier, once a
                quorum of its own candidates has arrived or ``budget_ms`` for every plan have passed.
            generators: one CPU generator per environment.
            committed: per environment ``(steps, action_dim)``, actions with which its plan has to begin, because they
                will be executed before the plan is there; as few as none.
            passed: ``(batch, waypoints)`` bool, way-points that were passed before; None is none.
            record_history: keep the partly denoised states of the chosen plans of the first window.

        Raises:
            UserError: shapes that do not fit, values that are not finite or far from the data, or a horizon below 1.
        """
        budget = math.inf if self.settings.budget_ms is None else self.settings.budget_ms / 1000
        deadline = time.perf_counter() + len(generators) * budget
        context, goal = self._check(observations, goals, horizon, generators)
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
            return checked_plan(self.scorer.plan_parts(self, context, goal, passed=passed, **asked))
        candidates = self.sample(context, goal, **asked)
        if self.settings.roll_out:
            candidates = self.roll_out(candidates, context, goal, generators=generators, committed=committed)
        return checked_plan(choose_plans(self, candidates, context, goal, passed=passed))

    def sample(
        self,
        context: Tensor,
        goal: Tensor,
        *,
        num_tokens: int,
        generators: Sequence[torch.Generator],
        committed: Sequence[np.ndarray] | None = None,
        deadline: float = math.inf,
        record_history: bool = False,
    ) -> Candidates:
        """Denoise the candidates of every environment, window by window, until enough of them have arrived.

        Args:
            context: ``[batch, observation_dim]``.
            goal: ``[batch, position_dim]``.
            num_tokens: most tokens of a plan.
            generators: as of :meth:`plan`.
            committed: likewise.
            deadline: on the clock of ``time.perf_counter``, when to end with what is finished.
            record_history: as of :meth:`plan`.
        """
        count, layout = self.settings.num_candidates, self.model.layout
        context, goal = context.repeat_interleave(count, dim=0), goal.repeat_interleave(count, dim=0)
        known = None if committed is None else self._known_actions(committed, num_tokens)
        tokens = torch.zeros(len(goal), num_tokens, layout.token_dim, device=self.device)
        lengths = torch.zeros(len(goal), dtype=torch.int64, device=self.device)
        arrived = torch.zeros(len(goal), dtype=torch.bool, device=self.device)
        evaluations = torch.zeros(len(goal), 2, dtype=torch.int64, device=self.device)
        history: list[Tensor] = []
        # A plan that is to be shown whole, or may have to pass more places, does not end where it touches the goal.
        goes_on = bool(self.settings.guidance.waypoints) and not self.plans_parts
        ends_early = not record_history and not goes_on
        rows, start = torch.arange(len(goal), device=self.device), context
        for first in range(0, num_tokens, self.window_tokens):
            part = slice(first, min(first + self.window_tokens, num_tokens))
            denoised = self._denoise(
                context[rows],
                goal[rows],
                part.stop - part.start,
                generators=[generators[index] for index in (rows[::count] // count).tolist()],
                guidance=self.guidance(start[rows], goal[rows], before=tokens[rows, :first]),
                arrived=arrived[rows] if ends_early else None,
                deadline=deadline,
                known_actions=None if known is None else known[rows, part],
                on_row=(lambda _, each: history.append(each)) if record_history and not first else None,
            )
            tokens[rows, part], finished = denoised.tokens, denoised.lengths
            evaluations[rows] += torch.stack([denoised.evaluations, denoised.token_evaluations], dim=1)
            lengths[rows] += finished
            arrived[rows] |= self._reaches(tokens[rows, part], goal[rows], finished)
            context = context.clone()
            states = layout.unpack(tokens[rows, part])[2]
            context[rows] = self.model.normalizer.observations_back(states[:, -1])
            if not goes_on:
                rows = rows[~self._enough(arrived[rows])]
            if not len(rows) or time.perf_counter() >= deadline:
                break
        return Candidates(tokens, lengths, evaluations, history)

    def roll_out(
        self,
        candidates: Candidates,
        context: Tensor,
        goal: Tensor,
        *,
        generators: Sequence[torch.Generator],
        committed: Sequence[np.ndarray] | None = None,
    ) -> Candidates:
        """What the same weights, as a world model, say that the actions of candidates lead to and earn.

        A plan that was denoised as a whole is optimistic: it has the rewards that it would like. Actions are first
        spread by noise, where the settings say so, so that there is more to choose from.

        Args:
            candidates: of :meth:`sample`.
            context: ``[batch, observation_dim]``.
            goal: ``[batch, position_dim]``.
            generators: as of :meth:`plan`.
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
        context, goal = context.repeat_interleave(count, dim=0), goal.repeat_interleave(count, dim=0)
        for first in range(0, num_tokens, self.window_tokens):
            part = actions[:, first : first + self.window_tokens]
            denoised = self._denoise(context, goal, part.shape[1], generators=alike, known_actions=part)
            tokens.append(denoised.tokens)
            evaluations += torch.stack([denoised.evaluations, denoised.token_evaluations], dim=1)
            context = normalizer.observations_back(self.model.layout.unpack(denoised.tokens)[2][:, -1])
        return replace(candidates, tokens=torch.cat(tokens, dim=1), evaluations=evaluations)

    def draft(
        self, states: np.ndarray, ends: np.ndarray, *, generators: Sequence[torch.Generator], **how: Any
    ) -> tuple[list[Draft], list[Tensor]]:
        """Candidates for parts of plans, and their history.

        Args:
            states: ``(parts, observation_dim)`` where each part begins.
            ends: ``(parts, position_dim)`` where it is to end.
            generators: one a part.
            how: the other arguments of :meth:`sample`.
        """
        context, goal = (torch.as_tensor(each, dtype=torch.float32, device=self.device) for each in (states, ends))
        candidates = self.sample(context, goal, generators=generators, **how)
        return drafts_of(self, candidates, context, goal), candidates.history
