"""A planner that remembers: everything seen since an episode began is a prefix of the tokens it denoises.

::

    goal    context   token 0        token 1        …   token k
    hidden  o_0       a_0…  o_8      a_8…  o_16         pure noise → the next actions
            level 0   0     0        0     1 (marked)   the scheduling matrix

The prefix goes through the network once, token by token as it happens, and stays in the denoiser's state; with a causal
denoiser that is exactly what a full pass over the whole sequence would give (arXiv 2407.01392, section 3.2: the latent
of the history). Noise is a mask: what is known to be disturbed enters at the level of its noise.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from dfplan.arrays import checked_plan, checked_rows
from dfplan.diffusion import add_noise, sloped_matrix
from dfplan.errors import UserError
from dfplan.models.denoiser import DenoiserState
from dfplan.models.forcing_model import ForcingModel
from dfplan.models.token_model import TokenModel
from dfplan.planner.sampler import Sampling, sample_tokens
from dfplan.planner.settings import PlannerSettings
from dfplan.tokens import CONTEXT_TOKEN, NUM_PREFIX_TOKENS
from dfplan.types import Plan


class MemoryPlanner:
    """Plans from what was seen and done so far; no goal is shown to it, and it has no candidates to choose from.

    Args:
        model: the trained model, of one observation a token.
        settings: ``num_levels``, ``level_power``, ``slope`` and ``eta`` say how to denoise; the rest is not used.

    Raises:
        UserError: the model is not causal, so that nothing can be remembered, or keeps several observations a token.
    """

    def __init__(self, model: ForcingModel, *, settings: PlannerSettings) -> None:
        if not model.denoiser.causal or model.layout.points_per_token != 1:
            raise UserError(
                "a memory needs a causal model with points_per_token=1, so that each observation has a level of its "
                f"own; got causal={model.denoiser.causal} and points_per_token={model.layout.points_per_token}"
            )
        self.model = model
        self.settings = settings
        self.device = model.normalizer.action_mean.device
        self.reach = model.reach(margin=None)

    @property
    def observation_dim(self) -> int:
        """Length of an observation."""
        return self.model.layout.observation_dim

    @property
    def action_dim(self) -> int:
        """Length of an action."""
        return self.model.layout.action_dim

    @property
    def position_dim(self) -> int:
        """Leading numbers of an observation that are the position."""
        return self.model.layout.position_dim

    @property
    def steps_per_token(self) -> int:
        """Steps that are remembered as one token."""
        return self.model.layout.steps_per_token

    @torch.inference_mode()
    def begin(self, observations: np.ndarray, *, levels: np.ndarray) -> DenoiserState:
        """The memory of one observation, with which an episode begins.

        Args:
            observations: ``(batch, observation_dim)``.
            levels: ``(batch,)`` noise level of each, 0 (as it is) … 1 (says nothing).

        Raises:
            UserError: shapes that do not fit, or values that are not finite or out of range.
        """
        layout, normalizer = self.model.layout, self.model.normalizer
        seen, seen_levels = self._checked(observations, levels)
        no_goal = normalizer.observation_mean[: layout.position_dim].expand(len(seen), -1)
        tokens = layout.prefix(normalizer.observations(no_goal), normalizer.observations(seen))
        token_levels = torch.ones(len(seen), NUM_PREFIX_TOKENS, 2, device=self.device)
        token_levels[:, CONTEXT_TOKEN] = seen_levels[:, None]
        return self._remember(tokens, token_levels, None)

    @torch.inference_mode()
    def remember(
        self, memory: DenoiserState, *, actions: np.ndarray, observations: np.ndarray, levels: np.ndarray
    ) -> DenoiserState:
        """The memory one token later.

        Args:
            memory: what was remembered before.
            actions: ``(batch, steps_per_token, action_dim)`` that were carried out since.
            observations: ``(batch, observation_dim)`` after the last of them.
            levels: ``(batch,)`` noise level of the observations; actions are known as they are.

        Raises:
            UserError: shapes that do not fit, or values that are not finite or out of range.
        """
        layout, normalizer = self.model.layout, self.model.normalizer
        seen, seen_levels = self._checked(observations, levels)
        rows = np.asanyarray(actions).reshape(len(actions), -1)
        checked_rows("actions", rows, num_rows=len(seen), width=layout.num_action_slots)
        done = torch.as_tensor(actions, dtype=torch.float32, device=self.device)
        tokens = layout.pack(
            normalizer.actions(done),
            normalizer.rewards(torch.zeros(len(seen), 1, device=self.device)),
            normalizer.observations(seen)[:, None],
        )
        token_levels = torch.stack([torch.zeros_like(seen_levels), seen_levels], dim=-1)[:, None]
        return self._remember(tokens, token_levels, memory)

    @torch.inference_mode()
    def plan(self, memory: DenoiserState, *, num_tokens: int, generators: Sequence[torch.Generator]) -> Plan:
        """Plan on from a memory.

        Args:
            memory: of a batch of environments.
            num_tokens: tokens to plan.
            generators: one CPU generator per environment, from which all its noise comes.
        """
        settings, layout, normalizer = self.settings, self.model.layout, self.model.normalizer
        num_known, num_levels = memory.num_tokens - NUM_PREFIX_TOKENS, settings.num_levels
        shape = (num_known + num_tokens, layout.token_dim)

        def noise(rows: Tensor) -> Tensor:
            return torch.stack([torch.randn(shape, generator=generators[row]) for row in rows.tolist()]).to(self.device)

        # What is remembered is finished: the sampler goes on from the state that holds it.
        ahead = sloped_matrix(num_tokens, num_levels=num_levels, slope=settings.slope)
        matrix = torch.cat([ahead.new_zeros(len(ahead), num_known), ahead], dim=1)
        denoised = sample_tokens(
            TokenModel(self.model.denoiser, layout, self.model.parameterization),
            noise(torch.arange(len(generators))),
            state=memory,
            sampling=Sampling(matrix, num_levels, eta=settings.eta, level_power=settings.level_power),
            noise=noise,
        )
        actions, rewards, states = layout.unpack(denoised.tokens[:, num_known:])
        num_steps = np.full(len(generators), num_tokens * layout.steps_per_token)
        plan = Plan(
            observations=normalizer.observations_back(states).cpu().numpy(),
            actions=self.model.clipped(normalizer.actions_back(actions)).cpu().numpy(),
            rewards=normalizer.rewards_back(rewards).cpu().numpy(),
            arrival=num_steps + 1,  # there is nowhere to arrive
            num_steps=num_steps,
            value=np.zeros(len(generators)),
            steps_per_point=layout.steps_per_point,
            evaluations=denoised.evaluations.cpu().numpy(),
            token_evaluations=denoised.token_evaluations.cpu().numpy(),
        )
        return checked_plan(plan)

    def _checked(self, observations: np.ndarray, levels: np.ndarray) -> tuple[Tensor, Tensor]:
        levels = np.asarray(levels)
        observations = checked_rows(
            "observations",
            observations,
            num_rows=len(levels),
            width=self.observation_dim,
            bounds=self.reach.observations,
        )
        if levels.shape != (len(observations),) or not ((levels >= 0) & (levels <= 1)).all():
            raise UserError(f"levels must be {len(observations)} numbers between 0 and 1; got {levels}")
        found = (torch.as_tensor(each, dtype=torch.float32, device=self.device) for each in (observations, levels))
        seen, seen_levels = found
        return seen, seen_levels

    def _remember(self, tokens: Tensor, levels: Tensor, memory: DenoiserState | None) -> DenoiserState:
        # As in the planner's prefix, a raised level scales a token down and adds no noise.
        shown = add_noise(
            tokens,
            torch.zeros_like(tokens),
            level=self.model.layout.per_slot(levels),
            schedule=self.model.parameterization.schedule,
        )
        return self.model.denoiser(shown, levels, memory)[1]
