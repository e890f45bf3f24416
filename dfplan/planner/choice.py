"""Which candidate becomes the plan: read in environment units, judged and ranked."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from dfplan.domain import Proposals, Score
from dfplan.models.forcing_model import ForcingModel
from dfplan.planner.draft import Draft
from dfplan.scorers import steps_along
from dfplan.types import Plan, Verdict

if TYPE_CHECKING:
    from dfplan.planner.planner import Planner

BROKEN = 1e3  # longest plans that a broken constraint, or a missed way-point, counts as in the value of a plan


@dataclass(frozen=True)
class Candidates:
    """Plans that were denoised side by side, those of an environment together.

    Attributes:
        tokens: ``[batch * candidates, tokens, token_dim]``, clean and normalised.
        lengths: ``[batch * candidates]`` int64, how many tokens of each are planned.
        evaluations: ``[batch * candidates, 2]`` int64: calls of the network, and tokens of them that were computed.
        history: partly denoised tokens, one entry a row of the scheduling matrix of the first window; or empty.
    """

    tokens: Tensor
    lengths: Tensor
    evaluations: Tensor
    history: list[Tensor]


def choose_plans(
    planner: "Planner", candidates: Candidates, start: Tensor, goal: Tensor | None, *, passed: np.ndarray | None = None
) -> Plan:
    """Of each environment's candidates the one that the scorer finds best; the first where no goal is shown to it."""
    layout, normalizer, count = planner.model.layout, planner.model.normalizer, planner.settings.num_candidates
    proposals = propose(planner.model, candidates.tokens, start, goal, lengths=candidates.lengths.cpu().numpy())
    score, verdict = judge(planner, proposals, passed=None if passed is None else np.asarray(passed).repeat(count, 0))
    value, num_steps = score.value, proposals.num_steps
    best = value.reshape(-1, count).argmax(axis=1) + count * np.arange(len(value) // count)
    longest = int(num_steps[best].max())
    actions = layout.unpack(candidates.tokens)[0]
    if planner.settings.temperature:
        temperature = planner.settings.temperature
        shares = shares_of(value, num_steps, best=best, temperature=temperature, resolution=score.resolution)
        actions = torch.einsum(
            "bc,bc...->b...", torch.from_numpy(shares).to(actions), actions.unflatten(0, shares.shape)
        )
        states, rewards = (
            np.einsum("bc,bc...->b...", shares, each.reshape(*shares.shape, *each.shape[1:])).astype(np.float32)
            for each in (proposals.states, proposals.rewards)
        )
    else:
        actions = actions[torch.from_numpy(best).to(planner.device)]
        states, rewards = proposals.states[best], proposals.rewards[best]
    evaluations = candidates.evaluations.view(-1, count, 2).sum(dim=1).cpu().numpy()
    return Plan(
        observations=states[:, : longest // layout.steps_per_point],
        actions=planner.model.clipped(normalizer.actions_back(actions[:, :longest])).cpu().numpy(),
        rewards=rewards[:, : longest // layout.steps_per_token],
        arrival=score.arrival[best],
        num_steps=num_steps[best],
        value=value[best],
        steps_per_point=layout.steps_per_point,
        history=states_of(planner.model, candidates.history, best) if candidates.history else None,
        evaluations=evaluations[:, 0],
        token_evaluations=evaluations[:, 1],
        verdict=None if verdict is None else verdict.rows(best),
    )


def shares_of(
    value: np.ndarray, num_steps: np.ndarray, *, best: np.ndarray, temperature: float, resolution: float = 0.0
) -> np.ndarray:
    """How much each candidate counts in the mean of its environment's, ``(batch, candidates)`` float32.

    Args:
        value: ``(batch * candidates,)``.
        num_steps: ``(batch * candidates,)``; those of another length than the best one do not count.
        best: ``(batch,)`` the best candidates.
        temperature: in standard deviations of an environment's values.
        resolution: least standard deviation that is taken for one.
    """
    value, num_steps = value.reshape(len(best), -1), num_steps.reshape(len(best), -1)
    spread = np.maximum(value.std(axis=1, keepdims=True), max(resolution, np.finfo(np.float32).tiny))
    shares = np.exp((value - value.max(axis=1, keepdims=True)) / (temperature * spread))
    shares = np.where(num_steps == num_steps.reshape(-1)[best][:, None], shares, 0)
    return (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)


def drafts_of(planner: "Planner", candidates: Candidates, start: Tensor, goal: Tensor) -> list[Draft]:
    """Candidates for parts from ``start`` ``[parts, observation_dim]`` to ``goal`` ``[parts, dim]``, judged."""
    layout, count = planner.model.layout, planner.settings.num_candidates
    proposals = propose(planner.model, candidates.tokens, start, goal, lengths=candidates.lengths.cpu().numpy())
    score, _ = judge(planner, proposals)
    spent = candidates.evaluations.cpu().numpy()
    return [
        Draft(
            proposals.states[part],
            proposals.num_steps[part],
            score.arrival[part],
            score.value[part],
            spent[part].sum(axis=0),
            layout.steps_per_point,
        )
        for part in (slice(first, first + count) for first in range(0, len(spent), count))
    ]


def propose(
    model: ForcingModel, tokens: Tensor, start: Tensor, goal: Tensor | None, *, lengths: np.ndarray
) -> Proposals:
    """Plans as a scorer sees them.

    Args:
        model: what they are of.
        tokens: ``[plans, tokens, token_dim]``, clean.
        start: ``[batch, observation_dim]``; the plans of a row lie one after the other.
        goal: ``[batch, goal_dim]``, likewise; None is none, though the scorer may know of goals.
        lengths: ``(plans,)`` how many tokens of each are planned.
    """
    layout, normalizer = model.layout, model.normalizer
    _, rewards, states = layout.unpack(tokens)
    count = len(tokens) // len(start)
    return Proposals(
        starts=start.cpu().numpy().repeat(count, axis=0),
        states=normalizer.observations_back(states).cpu().numpy(),
        rewards=normalizer.rewards_back(rewards).cpu().numpy(),
        goals=np.zeros((len(tokens), 0)) if goal is None else goal.cpu().numpy().repeat(count, axis=0),
        num_steps=lengths * layout.steps_per_token,
        steps_per_point=layout.steps_per_point,
        steps_per_token=layout.steps_per_token,
    )


def judge(
    planner: "Planner", proposals: Proposals, *, passed: np.ndarray | None = None
) -> tuple[Score, Verdict | None]:
    """What the planner's scorer says of plans, and how well they keep the constraints, if there are any.

    A plan that keeps more of them is worth more than any that keeps less; it arrives once the way-points are
    passed, and is judged up to there.
    """
    if proposals.goals.shape[1] < planner.model.layout.goal_dim:
        return Score(value=np.zeros(len(proposals.states)), arrival=proposals.num_steps + 1), None
    if not planner.constraints or planner.plans_parts:
        return planner.scorer.score(proposals), None
    model, num_steps, dim = planner.model, proposals.num_steps, proposals.goals.shape[1]
    start = proposals.starts[:, :dim]
    places = steps_along(start, proposals.states[..., :dim], steps_per_point=proposals.steps_per_point)
    places = np.concatenate([start[:, None], places], axis=1)
    limits: dict[str, Any] = {"radius": model.goal_radius, "passed": passed}
    passes = planner.constraints.passes(places, num_steps=num_steps, **limits)
    last = passes.max(axis=1, initial=0)
    score = planner.scorer.score(replace(proposals, not_before=np.where(last > num_steps, 0, last)))
    verdict = planner.constraints.judge(
        places,
        num_steps=np.minimum(score.arrival, num_steps),
        seconds_per_step=model.step_seconds,
        **limits,
    )
    broken = np.array([len(names) for names in verdict.broken]) + verdict.missed.sum(axis=1)
    return replace(score, value=score.value - BROKEN * places.shape[1] * broken), verdict


def states_of(model: ForcingModel, history: Sequence[Tensor], chosen: np.ndarray) -> np.ndarray:
    """Partly denoised states ``(rows, len(chosen), points, observation_dim)`` of some of the candidates."""
    layout, rows = model.layout, torch.from_numpy(chosen)
    states = [model.normalizer.observations_back(layout.unpack(tokens[rows])[2]) for tokens in history]
    return torch.stack(states).cpu().numpy()
