"""Denoises windows of plans with a trained model, from what is believed; predicts what actions lead to."""

import math
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from dfplan.arrays import checked_rows, numbers_of
from dfplan.errors import UserError
from dfplan.models.forcing_model import ForcingModel
from dfplan.models.token_model import TokenModel
from dfplan.planner.belief import Belief
from dfplan.planner.believer import Believer, check_generators
from dfplan.planner.choice import propose
from dfplan.planner.guidance import Guidance
from dfplan.planner.halving import Halving
from dfplan.planner.objectives import Objective
from dfplan.planner.sampler import Denoised, Sampling, sample_tokens
from dfplan.planner.settings import PlannerSettings


class WindowDenoiser(Believer):
    """What every planner does with its network; which plans are wanted, a planner knows.

    Args:
        model: the trained model.
        settings: how to plan.
        objective: one more to guide plans by gradients, beside those of the settings.
    """

    def __init__(self, model: ForcingModel, *, settings: PlannerSettings, objective: Objective | None = None) -> None:
        super().__init__(model, settings=settings, objective=objective)
        self.absent = model.absent | ({settings.absent} if settings.absent else frozenset())
        self.window_tokens = settings.window_tokens or model.num_tokens
        penalties = {name: getattr(settings, name) for name in ("consistency_penalty", "ood_penalty")}
        self.scorer = model.scorer.with_penalties(penalties)

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
        check_generators(generators)
        actions = numbers_of("actions", actions)
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
        belief = self.belief_of(self._checked("observations", observations, num_rows=len(generators)), None)
        known = normalizer.actions(torch.as_tensor(actions, dtype=torch.float32, device=self.device))
        known = known.reshape(len(belief), num_steps // layout.steps_per_token, layout.num_action_slots)
        states = []
        for first in range(0, known.shape[1], self.window_tokens):
            part = known[:, first : first + self.window_tokens]
            denoised = self._denoise(belief, part.shape[1], generators=generators, known_actions=part)
            states.append(normalizer.observations_back(layout.unpack(denoised.tokens)[2]))
            belief = self.belief_of(states[-1][:, -1], None)
        return torch.cat(states, dim=1).cpu().numpy()

    def _known_actions(self, committed: Sequence[np.ndarray], num_tokens: int) -> Tensor | None:
        """Normalised ``[batch * candidates, tokens, num_action_slots]``, NaN where none is committed; or None."""
        layout = self.model.layout
        known = torch.full((len(committed), num_tokens * layout.steps_per_token, layout.action_dim), torch.nan)
        for row, actions in enumerate(committed):
            rows = checked_rows("committed", actions, num_rows=None, width=layout.action_dim)
            known[row, : len(rows)] = torch.as_tensor(rows, dtype=torch.float32)[: known.shape[1]]
        if known.isnan().all():
            return None
        known = self.model.normalizer.actions(known.to(self.device))
        known = known.view(len(committed), num_tokens, layout.num_action_slots)
        return known.repeat_interleave(self.settings.num_candidates, dim=0)

    @property
    def token_model(self) -> TokenModel:
        """What predicts clean tokens, with the goal as far as it is believed."""
        return TokenModel(self.denoiser, self.model.layout, self.model.parameterization)

    def sampling(
        self,
        num_tokens: int,
        *,
        num_before: int,
        guidance: Guidance | None = None,
        known_actions: Tensor | None = None,
    ) -> Sampling:
        """How ``num_tokens`` tokens after ``num_before`` others are denoised; the rest is as of :class:`Sampling`."""
        settings = self.settings
        return Sampling(
            matrix=settings.scheduling_matrix(num_tokens),
            num_levels=settings.num_levels,
            eta=settings.eta,
            guidance=guidance,
            known_actions=known_actions,
            rho=settings.rho,
            num_before=num_before,
            parts_clean=self.model.committed_shown,
            # Where all actions are given, what is asked for is where they lead to.
            absent=self.model.absent if known_actions is not None and known_actions.isfinite().all() else self.absent,
        )

    def _denoise(
        self,
        belief: Belief,
        num_tokens: int,
        *,
        generators: Sequence[torch.Generator],
        guidance: Guidance | None = None,
        arrived: Tensor | None = None,
        deadline: float = math.inf,
        known_actions: Tensor | None = None,
        on_row: Callable[[int, Tensor], None] | None = None,
        halve_after: int | None = None,
    ) -> Denoised:
        """Denoise the window after what is believed, for every row of it."""
        per_environment, state, goals = len(belief) // len(generators), self.state_of(belief), belief.goals

        def noise(rows: Tensor) -> Tensor:
            # That of the whole sequence, as if nothing of it were known: results of a seed hold however it is cached.
            shape = (per_environment, belief.num_tokens + num_tokens, self.model.layout.token_dim)
            present, places = (rows // per_environment).unique(return_inverse=True)
            drawn = torch.cat([torch.randn(shape, generator=generators[index]) for index in present.tolist()])
            drawn = drawn[(places * per_environment + rows % per_environment).cpu(), belief.num_tokens :]
            return self.settings.noise_scale * drawn.to(self.device)

        halving = Halving(halve_after, num_candidates=per_environment, num_tokens=num_tokens)

        def is_done(tokens: Tensor, rows: Tensor) -> Tensor:
            assert arrived is not None
            if time.perf_counter() >= deadline:
                return torch.ones_like(rows, dtype=torch.bool)
            there = arrived[rows] | self._reaches(tokens, None if goals is None else goals[rows])
            done = self._enough(there, halving.num_left)
            if halving.is_due(tokens.shape[1]):
                worse = halving.let_go(self._values(tokens, belief, rows), rows.cpu().numpy())
                done |= torch.from_numpy(worse).to(done.device)
            return done

        sampling = self.sampling(
            num_tokens, num_before=state.num_tokens, guidance=guidance, known_actions=known_actions
        )
        denoised = sample_tokens(
            self.token_model,
            noise(torch.arange(len(belief))),
            state=state,
            sampling=sampling,
            noise=noise,
            on_row=on_row,
            is_done=is_done if arrived is not None else None,
        )
        gone, stand_ins = (torch.from_numpy(each).to(self.device) for each in (halving.gone, halving.stand_ins))
        denoised.tokens[gone], denoised.lengths[gone] = denoised.tokens[stand_ins], denoised.lengths[stand_ins]
        if sampling.absent:
            denoised.tokens[..., self.model.layout.slots_of(sampling.absent)] = 0.0  # the mean of the data
        return denoised

    def guidance(self, context: Tensor, goal: Tensor | None, *, before: Tensor | None = None) -> Guidance | None:
        """What the settings ask for, for plans from the observations ``context`` to ``goal``; None if nothing.

        The tokens ``before`` are planned already.

        Raises:
            UserError: there is no goal to steer towards.
        """
        if self.objective is None:
            return None
        if goal is None and not self.model.layout.goal_dim:
            goal = context[:, :0]
        if goal is None:
            raise UserError("objectives steer plans by their goals, and none is shown; give goals, or no objective")
        return Guidance(
            self.objective,
            starts=context[:, : self.model.layout.goal_dim],
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

    def _reaches(self, tokens: Tensor, goal: Tensor | None, lengths: Tensor | None = None) -> Tensor:
        """Which sequences have a planned point at the goal within their first ``lengths`` tokens, ``[batch]`` bool."""
        if goal is None or "observations" in self.absent:
            return torch.zeros(len(tokens), dtype=torch.bool, device=self.device)
        layout = self.model.layout
        states = self.model.normalizer.observations_back(layout.unpack(tokens)[2]).cpu().numpy()
        there = torch.from_numpy(self.scorer.finished(states, goal.cpu().numpy())).to(self.device)
        if lengths is not None:
            there &= torch.arange(there.shape[1], device=there.device) < layout.points_per_token * lengths[:, None]
        return there.any(dim=1)

    def _values(self, tokens: Tensor, belief: Belief, rows: Tensor) -> np.ndarray:
        """What the scorer says of the beginnings of plans, ``(len(rows),)``."""
        assert belief.goals is not None
        lengths = np.full(len(rows), tokens.shape[1])
        begun = propose(self.model, tokens, belief.observations[rows], belief.goals[rows], lengths=lengths)
        return self.scorer.score(begun).value

    def _enough(self, arrived: Tensor, count: int) -> Tensor:
        """Which sequences belong to an environment, of ``count`` each, a quorum of which arrived, ``[batch]`` bool."""
        share = arrived.float().view(-1, count).mean(dim=1)
        return (share >= max(self.settings.early_stop_fraction, 1 / count)).repeat_interleave(count)
