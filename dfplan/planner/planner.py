"""The planner: many candidate plans towards a goal, denoised together; the one that arrives first is chosen."""

import functools
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dfplan.arrays import checked_plan, checked_rows
from dfplan.diffusion import add_noise, sloped_matrix
from dfplan.errors import UserError
from dfplan.models.denoiser import DenoiserState
from dfplan.models.forcing_model import ForcingModel
from dfplan.planner.choice import Candidates, choose_plans, drafts_of
from dfplan.planner.constraints import Constraints, Judgement, as_constraints
from dfplan.planner.goal_guidance import GoalGuided, hide_goal
from dfplan.planner.guidance import Guidance
from dfplan.planner.journey import Draft
from dfplan.planner.objectives import Objective, weighted_sum
from dfplan.planner.parts import PartPlanner
from dfplan.planner.sampler import Denoised, Sampling, sample_tokens
from dfplan.planner.settings import PlannerSettings
from dfplan.planner.surroundings import Surroundings
from dfplan.scorers import PointMassScorer, as_point_mass
from dfplan.tokens import CONTEXT_TOKEN, NUM_PREFIX_TOKENS
from dfplan.types import Plan, Reach


def _without_gradients(method: Callable[..., Plan]) -> Callable[..., Plan]:
    """Run a method of a planner in inference mode, which is quicker; guidance differentiates, and that forbids it."""

    @functools.wraps(method)
    def run(self: "Planner", *arguments: Any, **options: Any) -> Plan:
        with torch.inference_mode() if self.objective is None else torch.no_grad():
            return method(self, *arguments, **options)

    return run


class Planner:
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
        self.model = model
        self.constraints = settings.guidance.must_keep() & as_constraints(constraints)
        self.settings = replace(settings, guidance=settings.guidance.with_constraints(self.constraints))
        self.window_tokens = settings.window_tokens or model.num_tokens
        self.device = model.normalizer.action_mean.device
        self.objective = self.settings.guidance.objective()
        if objective is not None:
            both = [objective] if self.objective is None else [objective, self.objective]
            self.objective = weighted_sum(both, weights=[1.0] * len(both))
        penalties = {name: getattr(settings, name) for name in ("jump_penalty", "support_penalty")}
        self.scorer = model.scorer.with_penalties(penalties)
        if self.constraints:
            robot = as_point_mass(self.scorer)
            self.scorer = replace(robot, support=self.constraints.restrict(robot.support))
        self.denoiser = model.denoiser
        self.reach = Reach.around(
            model.normalizer.observation_mean.cpu().numpy(),
            model.normalizer.observation_std.cpu().numpy(),
            position_dim=model.layout.position_dim,
            point_mass=model.point_mass if isinstance(model.scorer, PointMassScorer) else None,
        )
        if settings.goal_guidance not in (0, 1):
            self.denoiser = GoalGuided(model.denoiser, weight=settings.goal_guidance)

    @property
    def plans_parts(self) -> bool:
        """Whether there are constraints, and plans are made part by part so that they keep them."""
        return bool(self.constraints) and self.settings.guidance.method != "chosen"

    @cached_property
    def surroundings(self) -> Surroundings:
        """Where plans that must keep something may go."""
        return Surroundings(self.model.support, self.constraints)

    @property
    def observation_dim(self) -> int:
        """Length of an observation."""
        return self.model.layout.observation_dim

    @property
    def position_dim(self) -> int:
        """Length of a goal."""
        return self.model.layout.position_dim

    @property
    def window_steps(self) -> int:
        """Steps of one window."""
        return self.window_tokens * self.model.layout.steps_per_token

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
            return checked_plan(PartPlanner(self, context, goal, passed=passed, **asked).plan())
        return checked_plan(choose_plans(self, self.sample(context, goal, **asked), context, goal, passed=passed))

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

    @torch.no_grad()
    def predict(
        self, observations: np.ndarray, actions: np.ndarray, *, generators: Sequence[torch.Generator]
    ) -> np.ndarray:
        """World model: the states that given actions lead to.

        Args:
            observations: ``(batch, observation_dim)``.
            actions: ``(batch, steps, action_dim)``, a whole number of tokens.
            generators: one CPU generator per environment.

        Returns:
            ``(batch, points, observation_dim)``, one every ``steps_per_point`` steps.
        """
        layout, normalizer = self.model.layout, self.model.normalizer
        shape, num_steps = actions.shape, actions.shape[1] if actions.ndim == 3 else 0
        if (
            shape != (len(generators), num_steps, layout.action_dim)
            or num_steps % layout.steps_per_token
            or not num_steps
        ):
            raise UserError(
                f"actions must be ({len(generators)}, steps, {layout.action_dim}), one row per generator, with steps a "
                f"multiple of {layout.steps_per_token}; got {list(shape)}"
            )
        if not np.isfinite(actions).all():
            raise UserError(
                f"actions must be finite; row {int((~np.isfinite(actions)).any(axis=(1, 2)).argmax())} is not"
            )
        nowhere = np.tile((self.reach.goals.low + self.reach.goals.high) / 2, (len(generators), 1))
        context, _ = self._check(observations, nowhere, 1, generators)
        known = normalizer.actions(torch.as_tensor(actions, dtype=torch.float32, device=self.device))
        known = known.reshape(len(context), -1, layout.num_action_slots)
        states = []
        for first in range(0, known.shape[1], self.window_tokens):
            part = known[:, first : first + self.window_tokens]
            denoised = self._denoise(context, None, part.shape[1], generators=generators, known_actions=part)
            states.append(normalizer.observations_back(layout.unpack(denoised.tokens)[2]))
            context = states[-1][:, -1]
        return torch.cat(states, dim=1).cpu().numpy()

    def _check(
        self, observations: np.ndarray, goals: np.ndarray, horizon: int, generators: Sequence[torch.Generator]
    ) -> tuple[Tensor, Tensor]:
        """Observations and goals as float32 tensors on the model's device."""
        layout = self.model.layout
        if horizon < 1:
            raise UserError(f"horizon must be at least 1 step; got {horizon}")
        found = []
        for name, values, width, bounds in (
            ("observations", observations, layout.observation_dim, self.reach.observations),
            ("goals", goals, layout.position_dim, self.reach.goals),
        ):
            rows = checked_rows(name, values, num_rows=len(generators), width=width, bounds=bounds)
            found.append(torch.as_tensor(rows, dtype=torch.float32, device=self.device))
        return found[0], found[1]

    def _known_actions(self, committed: Sequence[np.ndarray], num_tokens: int) -> Tensor | None:
        """Normalised ``[batch * candidates, tokens, num_action_slots]``, NaN where none is committed; or None."""
        layout = self.model.layout
        known = torch.full((len(committed), num_tokens * layout.steps_per_token, layout.action_dim), torch.nan)
        for row, actions in enumerate(committed):
            rows = checked_rows("committed", actions, num_rows=len(actions), width=layout.action_dim)
            known[row, : len(rows)] = torch.as_tensor(rows, dtype=torch.float32)[: known.shape[1]]
        if known.isnan().all():
            return None
        known = self.model.normalizer.actions(known.to(self.device)).view(len(committed), num_tokens, -1)
        return known.repeat_interleave(self.settings.num_candidates, dim=0)

    def prefix_state(self, context: Tensor, goal: Tensor | None) -> DenoiserState:
        """The state of ``self.denoiser`` after goal and context; no goal, or one without weight, is pure noise."""
        normalizer, layout = self.model.normalizer, self.model.layout
        shown = context[:, : layout.position_dim] if goal is None else goal
        prefix = layout.prefix(normalizer.observations(shown), normalizer.observations(context))
        levels = torch.zeros(len(context), NUM_PREFIX_TOKENS, 2, device=self.device)
        levels[:, CONTEXT_TOKEN] = self.settings.context_level
        prefix = add_noise(
            prefix,
            torch.zeros_like(prefix),
            level=layout.per_slot(levels),
            schedule=self.model.parameterization.schedule,
        )
        if goal is None or self.settings.goal_guidance == 0:
            prefix, levels = hide_goal(prefix, levels)
        return self.denoiser(prefix, levels)[1]

    def _denoise(
        self,
        context: Tensor,
        goal: Tensor | None,
        num_tokens: int,
        *,
        generators: Sequence[torch.Generator],
        guidance: Guidance | None = None,
        arrived: Tensor | None = None,
        deadline: float = math.inf,
        known_actions: Tensor | None = None,
        on_row: Callable[[int, Tensor], None] | None = None,
    ) -> Denoised:
        """Denoise one window for every row of ``context``."""
        settings, layout = self.settings, self.model.layout
        per_environment = len(context) // len(generators)

        def noise(rows: Tensor) -> Tensor:
            shape = (per_environment, num_tokens, layout.token_dim)
            present = (rows[::per_environment] // per_environment).tolist()
            return torch.cat([torch.randn(shape, generator=generators[index]) for index in present]).to(self.device)

        def is_done(tokens: Tensor, rows: Tensor) -> Tensor:
            assert goal is not None
            assert arrived is not None
            if time.perf_counter() >= deadline:
                return torch.ones_like(rows, dtype=torch.bool)
            return self._enough(arrived[rows] | self._reaches(tokens, goal[rows]))

        sampling = Sampling(
            matrix=sloped_matrix(num_tokens, num_levels=settings.num_levels, slope=settings.slope),
            num_levels=settings.num_levels,
            eta=settings.eta,
            guidance=guidance,
            known_actions=known_actions,
            level_power=settings.level_power,
        )
        return sample_tokens(
            self.denoiser,
            noise(torch.arange(len(context))),
            state=self.prefix_state(context, goal),
            sampling=sampling,
            layout=layout,
            parameterization=self.model.parameterization,
            noise=noise,
            on_row=on_row,
            is_done=is_done if arrived is not None else None,
        )

    def guidance(self, context: Tensor, goal: Tensor, *, before: Tensor | None = None) -> Guidance | None:
        """What the settings ask for, for plans from the observations ``context`` to ``goal``; None if nothing.

        The tokens ``before`` are planned already.
        """
        if self.objective is None:
            return None
        return Guidance(
            self.objective,
            starts=context[:, : self.model.layout.position_dim],
            goals=goal,
            normalizer=self.model.normalizer,
            goal_radius=self.model.goal_radius,
            seconds_per_point=self.model.layout.steps_per_point * self.model.point_mass.step,
            num_futures=self.settings.guidance.num_futures,
            lowest_level=self.settings.guidance.lowest_level,
            highest_level=self.settings.guidance.highest_level,
            lookahead=self.settings.guidance.lookahead,
            before=before,
        )

    def _reaches(self, tokens: Tensor, goal: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Which sequences have a planned point at the goal within their first ``lengths`` tokens, ``[batch]`` bool."""
        layout = self.model.layout
        states = self.model.normalizer.observations_back(layout.unpack(tokens)[2]).cpu().numpy()
        there = torch.from_numpy(self.scorer.finished(states, goal.cpu().numpy())).to(self.device)
        if lengths is not None:
            there &= torch.arange(there.shape[1], device=there.device) < layout.points_per_token * lengths[:, None]
        return there.any(dim=1)

    def _enough(self, arrived: Tensor) -> Tensor:
        """Which sequences belong to an environment with a quorum of arrived candidates, ``[batch]`` bool."""
        count = self.settings.num_candidates
        share = arrived.float().view(-1, count).mean(dim=1)
        return (share >= max(self.settings.quorum, 1 / count)).repeat_interleave(count)

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
