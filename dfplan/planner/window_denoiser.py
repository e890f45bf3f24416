"""Denoises windows of plans with a trained model, from observations towards goals; predicts what actions lead to."""

import math
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from dfplan.arrays import checked_rows
from dfplan.diffusion import add_noise, sloped_matrix
from dfplan.errors import UserError
from dfplan.models.denoiser import DenoiserState
from dfplan.models.forcing_model import ForcingModel
from dfplan.models.token_model import TokenModel
from dfplan.planner.goal_guidance import GoalGuided, hide_goal
from dfplan.planner.guidance import Guidance
from dfplan.planner.objectives import Objective, weighted_sum
from dfplan.planner.sampler import Denoised, Sampling, sample_tokens
from dfplan.planner.settings import PlannerSettings
from dfplan.tokens import CONTEXT_TOKEN, NUM_PREFIX_TOKENS
from dfplan.types import Bounds


class WindowDenoiser:
    """What every planner does with its network; which plans are wanted, a planner knows.

    Args:
        model: the trained model.
        settings: how to plan.
        objective: one more to guide plans by gradients, beside those of the settings.
    """

    def __init__(self, model: ForcingModel, *, settings: PlannerSettings, objective: Objective | None = None) -> None:
        self.model = model
        self.settings = settings
        self.window_tokens = settings.window_tokens or model.num_tokens
        self.device = model.normalizer.action_mean.device
        self.objective = settings.guidance.objective()
        if objective is not None:
            both = [objective] if self.objective is None else [objective, self.objective]
            self.objective = weighted_sum(both, weights=[1.0] * len(both))
        penalties = {name: getattr(settings, name) for name in ("jump_penalty", "support_penalty")}
        self.scorer = model.scorer.with_penalties(penalties)
        self.denoiser = model.denoiser
        self.reach = model.reach()
        if settings.goal_guidance not in (0, 1):
            self.denoiser = GoalGuided(model.denoiser, weight=settings.goal_guidance)

    @property
    def action_bounds(self) -> Bounds:
        """Between which numbers planned actions lie."""
        return self.model.action_bounds

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
        known = known.reshape(len(context), num_steps // layout.steps_per_token, layout.num_action_slots)
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
        known = self.model.normalizer.actions(known.to(self.device))
        known = known.view(len(committed), num_tokens, layout.num_action_slots)
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
        if goal is None or not layout.position_dim or self.settings.goal_guidance == 0:
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
            TokenModel(self.denoiser, layout, self.model.parameterization),
            noise(torch.arange(len(context))),
            state=self.prefix_state(context, goal),
            sampling=sampling,
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
            goal_radius=self.model.goal_radius if goal.shape[1] else 1.0,
            seconds_per_point=self.model.layout.steps_per_point * self.model.step_seconds,
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
