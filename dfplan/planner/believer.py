"""Forms beliefs with a trained model, and brings them up to date: the first half of what every planner does."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Concatenate, ParamSpec, TypeVar

import numpy as np
import torch
from torch import Tensor

from dfplan.arrays import checked_levels, checked_rows, numbers_of
from dfplan.diffusion import add_noise
from dfplan.errors import UserError, check_kind
from dfplan.models.denoiser import DenoiserState
from dfplan.models.forcing_model import ForcingModel
from dfplan.planner.belief import Belief
from dfplan.planner.goal_guidance import GoalGuided, hide_goal
from dfplan.planner.objectives import Objective, expected_return, predicted_return, weighted_sum
from dfplan.planner.settings import PlannerSettings
from dfplan.scorers import ReturnScorer
from dfplan.tokens import CONTEXT_TOKEN, NUM_PREFIX_TOKENS
from dfplan.types import MARGIN, Bounds

Parameters = ParamSpec("Parameters")
Answer = TypeVar("Answer")
Itself = TypeVar("Itself", bound="Believer")


def without_gradients(
    method: Callable[Concatenate[Itself, Parameters], Answer],
) -> Callable[Concatenate[Itself, Parameters], Answer]:
    """Run a method of a planner in inference mode, which is quicker; guidance differentiates, and that forbids it."""

    @functools.wraps(method)
    def run(self: Itself, *arguments: Parameters.args, **options: Parameters.kwargs) -> Answer:
        with torch.inference_mode() if self.objective is None else torch.no_grad():
            return method(self, *arguments, **options)

    return run


def check_generators(generators: Sequence[torch.Generator]) -> None:
    """Refuse what are no generators; a UserError says what they are."""
    given = generators if isinstance(generators, list | tuple) else ()
    if not given or not all(isinstance(each, torch.Generator) and each.device.type == "cpu" for each in given):
        raise UserError(
            "generators must be a list of CPU generators, one per environment, such as "
            f"[torch.Generator().manual_seed(0)]; got {generators!r:.60}"
        )


class Believer:
    """What is believed of environments.

    Args:
        model: the trained model.
        settings: how far observations and goals are believed, and how much is remembered.
        objective: one more to guide plans by gradients, beside those of the settings.
    """

    def __init__(self, model: ForcingModel, *, settings: PlannerSettings, objective: Objective | None = None) -> None:
        self.model, self.settings = model, settings
        self.device = model.normalizer.action_mean.device
        self.objective = settings.guidance.objective(_earned(model))
        if objective is not None and not callable(objective):
            raise UserError(
                f"an objective is a function of a batch of plans; got {objective!r:.60} (those with names are weights: "
                "GuidanceSettings(smoothness=30.0))"
            )
        if objective is not None and self.objective is not None:
            objective = weighted_sum([objective, self.objective], weights=[1.0, 1.0])
        self.objective = objective or self.objective
        # Where plans follow from a history, single observations may be noise, and far from the data.
        self.reach = model.reach(margin=None if self.remembers else MARGIN)
        self.denoiser = model.denoiser
        if settings.cfg_scale not in (0, 1):
            self.denoiser = GoalGuided(model.denoiser, weight=settings.cfg_scale)
        if settings.wanted_reward is not None and not model.metadata.get("returns_shown"):
            raise UserError(
                f"wanted_reward={settings.wanted_reward} says nothing to weights never told what windows earn; "
                "train with diffusion.returns_shown=true, or leave it out"
            )
        if self.remembers and not model.denoiser.causal:
            raise UserError(
                f"history={settings.history} needs a causal network, in which what was seen stays what it was; this "
                "one is not: give history=0"
            )

    @property
    def remembers(self) -> bool:
        """Whether plans follow from more than the present observation."""
        return self.settings.history != 0

    @property
    def steps_per_token(self) -> int:
        """Steps that are remembered as one token."""
        return self.model.layout.steps_per_token

    @property
    def steps_per_point(self) -> int:
        """Steps between two observations that are remembered."""
        return self.model.layout.steps_per_point

    @property
    def action_bounds(self) -> Bounds:
        """Between which numbers planned actions lie."""
        return self.model.action_bounds

    @property
    def observation_dim(self) -> int:
        """Length of an observation."""
        return self.model.layout.observation_dim

    @property
    def goal_dim(self) -> int:
        """Length of a goal."""
        return self.model.layout.goal_dim

    @without_gradients
    def believe(
        self, observations: np.ndarray, goals: np.ndarray | None = None, *, levels: np.ndarray | None = None
    ) -> Belief:
        """What is known where an episode begins, or where nothing is remembered.

        Args:
            observations: ``(batch, observation_dim)``.
            goals: ``(batch, goal_dim)``; None shows none.
            levels: ``(batch,)`` noise level of each observation, 0 (as it is) … 1 (says nothing); None is
                ``stabilization_level`` of the settings.

        Raises:
            UserError: shapes that do not fit, or values that are not finite, far from the data or out of range.
        """
        rows = checked_rows("observations", observations, num_rows=None, width=self.observation_dim)
        return self._believe(rows, goals, levels=levels, num_rows=len(rows))

    def _believe(
        self, observations: np.ndarray, goals: np.ndarray | None, *, levels: np.ndarray | None, num_rows: int
    ) -> Belief:
        if goals is None and not self.goal_dim:
            goals = np.zeros((num_rows, 0))
        found = self._levels(levels, num_rows=num_rows)
        seen = self._checked("observations", observations, num_rows=num_rows, levels=levels)
        wanted = None if goals is None else self._checked("goals", goals, num_rows=num_rows)
        return self.belief_of(seen, wanted, found)

    @without_gradients
    def update(
        self, belief: Belief, *, actions: np.ndarray, observations: np.ndarray, levels: np.ndarray | None = None
    ) -> Belief:
        """What is known one token later: the posterior (arXiv 2407.01392, algorithm 2).

        Args:
            belief: what was known before.
            actions: ``(batch, steps_per_token, action_dim)`` that were carried out since.
            observations: ``(batch, points_per_token, observation_dim)``, every ``steps_per_point`` steps since.
            levels: ``(batch,)`` noise level of the observations, as of :meth:`believe`; actions are known as they are.

        Raises:
            UserError: shapes that do not fit, or values that are not finite, far from the data or out of range.
        """
        check_kind(Belief, such_as="one of Planner.believe or Planner.update", belief=belief)
        layout, normalizer, batch = self.model.layout, self.model.normalizer, len(belief)
        shape = (batch, layout.points_per_token, layout.observation_dim)
        carried_out = (batch, layout.steps_per_token, layout.action_dim)
        for name, given, wanted in (("observations", observations, shape), ("actions", actions, carried_out)):
            if numbers_of(name, given).shape != wanted:
                raise UserError(f"{name} of a token must have shape {wanted}; got {np.shape(given)}")
        seen = self._checked("observations", np.concatenate(np.asarray(observations)), num_rows=batch * shape[1])
        seen = seen.view(shape)
        found = self._levels(levels, num_rows=batch)
        if self.settings.history == 0:
            return self.belief_of(seen[:, -1], belief.goals, found)
        rows = np.asanyarray(actions).reshape(len(actions), -1)
        checked_rows("actions", rows, num_rows=batch, width=layout.num_action_slots)
        done = torch.as_tensor(np.asarray(actions), dtype=torch.float32, device=self.device)
        token = layout.pack(
            normalizer.actions(done),
            normalizer.rewards(self._shares_at_goal(seen, belief.goals)),
            normalizer.observations(seen),
        )
        level = torch.as_tensor(found, device=self.device).expand(batch)
        known = replace(
            belief,
            observations=seen[:, -1],
            tokens=torch.cat([belief.tokens, token], dim=1),
            levels=torch.cat([belief.levels, torch.stack([torch.zeros_like(level), level], dim=-1)[:, None]], dim=1),
        )
        limit = self.settings.history
        if limit is not None and known.num_tokens > limit:
            return self._forget(known, keep=limit)
        return replace(known, state=self.state_after(belief, token, known.levels[:, -1:]))

    def state_of(self, belief: Belief) -> DenoiserState:
        """The state of ``self.denoiser`` after everything that is believed."""
        return self._state(belief.tokens, belief.levels) if belief.state is None else belief.state

    def state_after(self, belief: Belief, tokens: Tensor, levels: Tensor | None = None) -> DenoiserState:
        """The state after what is believed and further clean tokens; None is to believe all of these."""
        levels = torch.zeros(1, tokens.shape[1], 2, device=self.device) if levels is None else levels
        return self._state(tokens, levels, self.state_of(belief)) if tokens.shape[1] else self.state_of(belief)

    def _forget(self, belief: Belief, *, keep: int) -> Belief:
        """Of the history the last ``keep`` tokens, after the observation before them in the place of the context."""
        layout, first = self.model.layout, belief.num_tokens + NUM_PREFIX_TOKENS - keep
        tokens, levels = (each[:, first - NUM_PREFIX_TOKENS :].clone() for each in (belief.tokens, belief.levels))
        tokens[:, :NUM_PREFIX_TOKENS], levels[:, :NUM_PREFIX_TOKENS] = (
            each[:, :NUM_PREFIX_TOKENS] for each in (belief.tokens, belief.levels)
        )
        tokens[:, CONTEXT_TOKEN, -layout.observation_dim :] = belief.tokens[:, first - 1, -layout.observation_dim :]
        levels[:, CONTEXT_TOKEN] = belief.levels[:, first - 1, 1:]
        return replace(belief, tokens=tokens, levels=levels, state=self._state(tokens, levels))

    def _shares_at_goal(self, seen: Tensor, goals: Tensor | None) -> Tensor:
        """The reward ``[batch, 1]`` of a token with observations ``[batch, points, observation_dim]``, as in training.

        Where there are no goals, nobody tells what was earned: it counts as nothing.
        """
        if goals is None or not goals.shape[1]:
            return torch.zeros(len(seen), 1, device=self.device)
        apart = torch.linalg.vector_norm(seen[..., : goals.shape[1]] - goals[:, None], dim=-1)
        return (apart <= self.model.goal_radius).float().mean(dim=1, keepdim=True)

    def observation_bounds(self, levels: np.ndarray | None) -> Bounds:
        """Between which numbers observations must lie: near the data, or not far from their mean if said to be noise.

        Args:
            levels: ``(batch,)`` as of :meth:`believe`.

        Returns:
            Bounds ``(observation_dim,)`` without levels, else ``(batch, observation_dim)``.
        """
        near = self.reach.observations
        if levels is None:
            return near
        far, noisy = self.model.reach(margin=None).observations, np.asarray(levels)[:, None] > 0
        return Bounds(np.where(noisy, far.low, near.low), np.where(noisy, far.high, near.high))

    def _checked(self, name: str, values: np.ndarray, *, num_rows: int, levels: np.ndarray | None = None) -> Tensor:
        """Observations or goals as a float32 tensor on the model's device."""
        layout = self.model.layout
        widths = {"observations": layout.observation_dim, "goals": layout.goal_dim}
        bounds = self.reach.goals if name == "goals" else self.observation_bounds(levels)
        rows = checked_rows(name, values, num_rows=num_rows, width=widths[name], bounds=bounds)
        return torch.as_tensor(rows, dtype=torch.float32, device=self.device)

    def _levels(self, levels: np.ndarray | None, *, num_rows: int) -> Tensor:
        """Noise levels of observations, ``[batch]``, or one for all ``[1]``."""
        if levels is None:
            return torch.tensor([self.settings.stabilization_level], device=self.device)
        found = checked_levels(levels, num_rows=num_rows)
        return torch.as_tensor(found, dtype=torch.float32, device=self.device)

    def belief_of(self, seen: Tensor, goal: Tensor | None, level: Tensor | None = None) -> Belief:
        """What is known of an observation alone; a goal token that tells nothing, or without weight, is pure noise."""
        normalizer, layout = self.model.normalizer, self.model.layout
        shown = seen[:, : layout.goal_dim] if goal is None else goal
        wanted = self.settings.wanted_reward
        earned = 0.0 if wanted is None else normalizer.rewards(torch.full((len(seen),), wanted, device=self.device))
        tokens = layout.prefix(normalizer.observations(shown), normalizer.observations(seen), rewards=earned)
        levels = torch.zeros(len(seen), NUM_PREFIX_TOKENS, 2, device=self.device)
        levels[:, CONTEXT_TOKEN] = self.settings.stabilization_level if level is None else level[:, None]
        tells = goal is not None if layout.goal_dim else wanted is not None
        if not tells or self.settings.cfg_scale == 0:
            tokens, levels = hide_goal(tokens, levels)
        return Belief(seen, goal, tokens, levels)

    def _state(self, tokens: Tensor, levels: Tensor, before: DenoiserState | None = None) -> DenoiserState:
        """The state after clean tokens of which the levels say how far they are to be believed."""
        # A raised level scales a token down and adds no noise.
        shown = add_noise(
            tokens,
            torch.zeros_like(tokens),
            level=self.model.layout.per_slot(levels),
            schedule=self.model.parameterization.schedule,
        )
        return self.denoiser(shown, levels, before)[1]


def _earned(model: ForcingModel) -> Objective:
    """What counts as earned in plans of a model."""
    if isinstance(model.scorer, ReturnScorer):
        return expected_return(model.scorer, steps_per_token=model.layout.steps_per_token)
    return predicted_return
