"""Plans by inpainting: the present observation first, the goal at rest last, everything between denoised together."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch

from dfplan.arrays import checked_plan, checked_rows
from dfplan.baselines.diffuser.diffusion import clamped, cosine_signal, sample_in_few_steps, sample_trajectories
from dfplan.baselines.diffuser.model import DiffuserModel
from dfplan.errors import UserError
from dfplan.scorers import first_arrival
from dfplan.types import MARGIN, Bounds, Plan, Reach


class DiffuserPlanner:
    """One sampled trajectory per environment; nothing is ranked or guided.

    A plan arrives at its last step, since that is where the goal is clamped (arXiv 2205.09991, section 3.3;
    jannerm/diffuser, branch maze2d, ``scripts/plan_maze2d.py``).

    Args:
        model: the trained model.
        ddim_steps: steps of implicit sampling (DDIM); None is ancestral sampling over all levels, as published.

    Raises:
        UserError: more steps than the model has levels, or none.
    """

    def __init__(self, model: DiffuserModel, *, ddim_steps: int | None = None) -> None:
        if ddim_steps is not None and not 1 <= ddim_steps <= model.num_levels:
            raise UserError(
                f"ddim_steps must be from 1 to the {model.num_levels} levels of the model; got {ddim_steps}"
            )
        self.model = model
        self.num_steps = ddim_steps or model.num_levels
        self._sample = sample_trajectories if ddim_steps is None else partial(sample_in_few_steps, num_steps=ddim_steps)
        self.device = model.normalizer.minimum.device
        self.signal = cosine_signal(model.num_levels)
        limits = model.normalizer.minimum.cpu().numpy(), model.normalizer.maximum.cpu().numpy()
        low, high = (each[model.action_dim :] for each in limits)
        bounds = Bounds(low, high).widened(MARGIN)
        self.reach = replace(
            Reach.around(low, high - low, goal_dim=self.goal_dim, dynamics=model.dynamics),
            observations=bounds,
            goals=Bounds(bounds.low[: self.goal_dim], bounds.high[: self.goal_dim]),
        )

    @property
    def observation_dim(self) -> int:
        """Length of an observation."""
        return self.model.observation_dim

    @property
    def goal_dim(self) -> int:
        """Length of a goal: observations are positions and their velocities."""
        return self.model.observation_dim // 2

    @torch.no_grad()
    def plan(
        self,
        observations: np.ndarray,
        goals: np.ndarray | None,
        *,
        horizon: int,
        generators: Sequence[torch.Generator],
    ) -> Plan:
        """Plan for a batch of environments; each one's noise comes from its own generator.

        Args:
            observations: ``(batch, observation_dim)``.
            goals: ``(batch, goal_dim)``.
            horizon: rows of a trajectory, the present observation included, rounded up to what the network can halve;
                it was trained on ``model.horizon``.
            generators: one CPU generator per environment.

        Returns:
            Plans of ``horizon - 1`` steps. ``rewards`` says of every planned state whether it is at the goal.

        Raises:
            UserError: shapes that do not fit, values that are not finite, or a horizon below 2.
        """
        if horizon < 2:
            raise UserError(f"a plan of Diffuser has 2 steps at least; got a horizon of {horizon}")
        multiple = self.model.unet.step_multiple
        horizon = -(-horizon // multiple) * multiple
        rows = len(generators)
        observations = checked_rows(
            "observations", observations, num_rows=rows, width=self.observation_dim, bounds=self.reach.observations
        )
        goals = checked_rows("goals", goals, num_rows=rows, width=self.goal_dim, bounds=self.reach.goals)
        at_rest = np.concatenate([goals, np.zeros((rows, self.observation_dim - self.goal_dim))], axis=1)
        first, last = (
            self.model.normalizer.tokens(torch.as_tensor(each, dtype=torch.float32, device=self.device))
            for each in (observations, at_rest)
        )
        shape = (horizon, self.model.unet.token_dim)
        tokens = self._sample(
            self.model.unet,
            signal=self.signal,
            draw_noise=lambda: torch.stack([torch.randn(shape, generator=each) for each in generators]).to(self.device),
            clamp=lambda trajectories: clamped(trajectories, first, last),
        )
        return checked_plan(self._plan(self.model.normalizer.tokens_back(tokens).cpu().numpy(), goals))

    def _plan(self, tokens: np.ndarray, goals: np.ndarray) -> Plan:
        """The plan in tokens ``(batch, horizon, token_dim)``; the last action leads out of it and is left out."""
        batch, horizon = tokens.shape[:2]
        states = tokens[:, 1:, self.model.action_dim :]
        num_steps = np.full(batch, horizon - 1)
        positions = states[..., : self.goal_dim]
        there = np.linalg.norm(positions - goals[:, None], axis=-1) <= self.model.goal_radius
        return Plan(
            observations=states,
            actions=tokens[:, :-1, : self.model.action_dim].clip(-1, 1),
            rewards=there.astype(np.float32),
            arrival=first_arrival(positions, goals, radius=self.model.goal_radius, num_steps=num_steps),
            num_steps=num_steps,
            value=np.zeros(batch),
            steps_per_point=1,
            evaluations=np.full(batch, self.num_steps),
            token_evaluations=np.full(batch, self.num_steps * horizon),
        )
