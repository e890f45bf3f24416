"""Which candidate becomes the plan: read in environment units, judged and ranked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from dfplan.models.forcing_model import ForcingModel
from dfplan.planner.journey import Draft
from dfplan.planner.ranking import BROKEN, judge_plans, steps_along
from dfplan.types import Plan, Verdict

if TYPE_CHECKING:
    from dfplan.planner.planner import Planner


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
    planner: "Planner", candidates: Candidates, start: Tensor, goal: Tensor, *, passed: np.ndarray | None = None
) -> Plan:
    """Of each environment's candidates the believable one that arrives first; if none arrives, the nearest."""
    layout, normalizer, count = planner.model.layout, planner.model.normalizer, planner.settings.num_candidates
    actions, rewards, states = layout.unpack(candidates.tokens)
    states = normalizer.observations_back(states).cpu().numpy()
    num_steps = candidates.lengths.cpu().numpy() * layout.steps_per_token
    arrival, value, verdict = judge(
        planner,
        start.cpu().numpy().repeat(count, axis=0),
        states,
        goal.cpu().numpy().repeat(count, axis=0),
        num_steps=num_steps,
        passed=None if passed is None else np.asarray(passed).repeat(count, axis=0),
    )
    best = value.reshape(-1, count).argmax(axis=1) + count * np.arange(len(value) // count)
    chosen = torch.from_numpy(best).to(planner.device)
    longest = int(num_steps[best].max())
    evaluations = candidates.evaluations.view(-1, count, 2).sum(dim=1).cpu().numpy()
    return Plan(
        observations=states[best, : longest // layout.steps_per_point],
        actions=normalizer.actions_back(actions[chosen, :longest]).clamp(-1, 1).cpu().numpy(),
        rewards=normalizer.rewards_back(rewards[chosen, : longest // layout.steps_per_token]).cpu().numpy(),
        arrival=arrival[best],
        num_steps=num_steps[best],
        value=value[best],
        steps_per_point=layout.steps_per_point,
        history=states_of(planner.model, candidates.history, best) if candidates.history else None,
        evaluations=evaluations[:, 0],
        token_evaluations=evaluations[:, 1],
        verdict=None if verdict is None else verdict.rows(best),
    )


def drafts_of(planner: "Planner", candidates: Candidates, start: Tensor, goal: Tensor) -> list[Draft]:
    """Candidates for parts from ``start`` ``[parts, observation_dim]`` to ``goal`` ``[parts, dim]``, judged."""
    layout, count = planner.model.layout, planner.settings.num_candidates
    states = planner.model.normalizer.observations_back(layout.unpack(candidates.tokens)[2]).cpu().numpy()
    num_steps = candidates.lengths.cpu().numpy() * layout.steps_per_token
    starts, goals = (each.cpu().numpy().repeat(count, axis=0) for each in (start, goal))
    arrival, value, _ = judge(planner, starts, states, goals, num_steps=num_steps)
    spent, steps_per_point = candidates.evaluations.cpu().numpy(), layout.steps_per_point
    parts = [slice(first, first + count) for first in range(0, len(states), count)]
    return [
        Draft(states[part], num_steps[part], arrival[part], value[part], spent[part].sum(axis=0), steps_per_point)
        for part in parts
    ]


def judge(
    planner: "Planner",
    starts: np.ndarray,
    states: np.ndarray,
    goals: np.ndarray,
    *,
    num_steps: np.ndarray,
    passed: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, Verdict | None]:
    """Arrival and value of plans (:func:`judge_plans`), and how well they keep the constraints, if there are any.

    A plan that keeps more of them is worth more than any that keeps less; it arrives once the way-points are
    passed, and is judged up to there.
    """
    layout, dim = planner.model.layout, goals.shape[1]
    how: dict[str, Any] = {
        "num_steps": num_steps,
        "steps_per_point": layout.steps_per_point,
        "goal_radius": planner.model.goal_radius,
        "point_mass": planner.model.point_mass,
        "support": planner.support,
        "jump_penalty": planner.settings.jump_penalty,
        "support_penalty": planner.settings.support_penalty,
    }
    if not planner.constraints or planner.plans_parts:
        return *judge_plans(starts, states, goals, **how), None
    positions = steps_along(starts[:, :dim], states[..., :dim], steps_per_point=layout.steps_per_point)
    positions = np.concatenate([starts[:, None, :dim], positions], axis=1)
    limits: dict[str, Any] = {"radius": planner.model.goal_radius, "passed": passed}
    passes = planner.constraints.passes(positions, num_steps=num_steps, **limits)
    last = passes.max(axis=1, initial=0)
    arrival, value = judge_plans(starts, states, goals, after=np.where(last > num_steps, 0, last), **how)
    verdict = planner.constraints.judge(
        positions,
        num_steps=np.minimum(arrival, num_steps),
        seconds_per_step=planner.model.point_mass.step,
        **limits,
    )
    broken = np.array([len(names) for names in verdict.broken]) + verdict.missed.sum(axis=1)
    return arrival, value - BROKEN * positions.shape[1] * broken, verdict


def states_of(model: ForcingModel, history: Sequence[Tensor], chosen: np.ndarray) -> np.ndarray:
    """Partly denoised states ``(rows, len(chosen), points, observation_dim)`` of some of the candidates."""
    layout, rows = model.layout, torch.from_numpy(chosen)
    states = [model.normalizer.observations_back(layout.unpack(tokens[rows])[2]) for tokens in history]
    return torch.stack(states).cpu().numpy()
