"""Plans among others who move: their futures are sampled from the same weights, each of them a stream of its own.

What is believed of the others is a handful of futures, as their goals are not known (a belief, as in DiMSam, arXiv
2306.13196, where what is not seen is sampled). Plans are judged by all of them; that of least cost is chosen.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from dfplan.arrays import check_whole, checked_plan, checked_rows
from dfplan.domain import Proposals
from dfplan.errors import UserError
from dfplan.planner.choice import Candidates, propose
from dfplan.planner.planner import Planner
from dfplan.scorers import steps_along
from dfplan.types import Bounds, Plan

SETTLED = 12  # steps after which predicted places are believed as much as where velocities lead
NUM_WAYS, ASIDE = 16, 4.0  # ways aside, evenly around; how far, in goal radii
FORESEEING = ("model", "constant velocity", "standing", "unseen")


@dataclass(frozen=True)
class MovingDiscs:
    """Discs to keep out of that move: where each is at every step is known as a handful of futures alone.

    A judgement as :class:`~dfplan.planner.Constraints` takes it: places of a plan keep it where at most ``allowed`` of
    the futures come too near.

    Attributes:
        paths: ``(others, futures, steps, dim)``, entry ``k`` after ``k + 1`` steps.
        radius: distance of centres within which a disc is touched.
        margin: distance beyond it that is better kept.
        patience: steps after which a touch counts 1 / e of one now, as there will be other plans until then.
        allowed: share of futures.
    """

    paths: np.ndarray
    radius: float
    margin: float = 0.0
    patience: float = np.inf
    allowed: float = 0.0

    def risks(self, places: np.ndarray, num_steps: np.ndarray) -> np.ndarray:
        """Share of the futures in which a plan touches somebody, ``(plans,)``; near misses count in part.

        Args:
            places: ``(plans, steps, dim)`` of plans, entry ``k`` after ``k + 1`` steps.
            num_steps: ``(plans,)`` how many of these count.
        """
        steps = min(places.shape[1], self.paths.shape[2])
        ahead = np.arange(1, steps + 1)
        weights = np.exp(-ahead / self.patience) * (ahead <= num_steps[:, None])
        free = np.ones(len(places))
        for futures in self.paths[:, :, :steps]:  # others move on their own
            apart = np.linalg.norm(places[:, None, :steps] - futures, axis=-1)
            touched = np.clip(1 - (apart - self.radius) / max(self.margin, 1e-9), 0, 1) * weights[:, None]
            free *= 1 - touched.max(axis=-1).mean(axis=-1)
        return 1 - free

    def __call__(self, places: np.ndarray) -> float:
        """See :data:`~dfplan.planner.constraints.Judgement`; the start comes first in the ``places``."""
        return self.allowed - float(self.risks(places[None, 1:], np.array([len(places) - 1]))[0])


class PlannerAmongOthers:
    """Plans for one of several that move alike: the observation is its own state, then those of the others.

    A state begins with the place and the velocity, in units of place a step.

    ::

        own state, goal ───────────▶ candidates ──┐
        own state, places around ──▶ ways aside ──┼──▶ least of: steps to the goal + collision_cost * risk ──▶ plan
        each other state, no goal ─▶ futures ─────┘

    All are drawn from the same weights. Ways aside are for where all that lead to the goal are closed. Where plans lead
    is told by their velocities at first, and what leads to where the data never were is doubted.

    Args:
        planner: of weights that were trained on one alone; its settings say how candidates are made.
        num_others: how many others there are.
        radius: distance of centres within which two touch.
        margin: see :class:`MovingDiscs`.
        patience: likewise.
        num_futures: of each of the others.
        foreseen_steps: how far ahead others are foreseen; whole tokens of it, with the model.
        collision_cost: steps that a certain collision is worth.
        foresee: where the others are thought to go: "model" samples, as above; "constant velocity", "standing" and
            "unseen" are what one does without it.

    Raises:
        UserError: goals that are no places in a plane, or an unknown way to foresee.
    """

    def __init__(
        self,
        planner: Planner,
        *,
        num_others: int,
        radius: float,
        margin: float = 0.2,
        patience: float = 6.0,
        num_futures: int = 8,
        foreseen_steps: int = 24,
        collision_cost: float = 300.0,
        foresee: str = "model",
    ) -> None:
        if foresee not in FORESEEING:
            raise UserError(f"foresee must be one of {', '.join(FORESEEING)}; got {foresee!r}")
        check_whole(1, num_others=num_others, num_futures=num_futures)
        if planner.goal_dim != 2:
            raise UserError(
                f"among others one plans to places in a plane; these weights have goals of {planner.goal_dim}"
            )
        self.planner, self.num_others, self.foresee = planner, num_others, foresee
        self.radius, self.margin, self.patience, self.collision_cost = radius, margin, patience, collision_cost
        self.foreseen_steps = foreseen_steps
        self._aimless, self._one = (
            Planner(planner.model, settings=replace(planner.settings, num_candidates=count))
            for count in (num_futures, 1)
        )

    @property
    def observation_dim(self) -> int:
        """Numbers in the states of all."""
        return self.planner.observation_dim * (1 + self.num_others)

    @property
    def goal_dim(self) -> int:
        """Length of a goal."""
        return self.planner.goal_dim

    @property
    def action_bounds(self) -> Bounds:
        """Between which actions lie."""
        return self.planner.action_bounds

    @torch.no_grad()
    def plan(
        self,
        observations: np.ndarray,
        goals: np.ndarray | None,
        *,
        horizon: int,
        generators: Sequence[torch.Generator],
    ) -> Plan:
        """Plan for a batch; see :meth:`dfplan.planner.Planner.plan`.

        Raises:
            UserError: shapes that do not fit, or values that are not finite or far from the data.
        """
        batch, planner, layout = len(generators), self.planner, self.planner.model.layout
        seen = checked_rows("observations", observations, num_rows=batch, width=self.observation_dim)
        states = np.asarray(seen).reshape(batch, 1 + self.num_others, -1)
        num_tokens = math.ceil(horizon / layout.steps_per_token)
        belief = planner.believe(states[:, 0], goals)
        drawn = [
            planner.sample(belief, num_tokens=num_tokens, generators=generators),
            self._aside(states[:, 0], num_tokens=num_tokens, generators=generators),
        ]
        padded = [torch.nn.functional.pad(each.tokens, (0, 0, 0, num_tokens - each.tokens.shape[1])) for each in drawn]
        tokens = torch.cat([each.unflatten(0, (batch, -1)) for each in padded], dim=1).flatten(0, 1)
        lengths = torch.cat([each.lengths.view(batch, -1) for each in drawn], dim=1).flatten().cpu().numpy()
        proposals = propose(planner.model, tokens, belief.observations, belief.goals, lengths=lengths)
        places = self._places(proposals.starts, proposals.states)
        at_points = places[:, layout.steps_per_point - 1 :: layout.steps_per_point]
        moving = np.concatenate([at_points, proposals.states[..., self.goal_dim :]], axis=-1)
        score = planner.scorer.score(replace(proposals, states=moving))
        paths = self._foresee(states[:, 1:], num_steps=min(horizon, self.foreseen_steps), generators=generators)
        familiar = planner.scorer.is_familiar(moving.reshape(-1, planner.observation_dim)).reshape(moving.shape[:2])
        value = self._values(score.arrival, places, proposals, familiar=familiar, paths=paths)
        best = value.reshape(batch, -1).argmax(axis=1) + len(value) // batch * np.arange(batch)
        actions, rewards, _ = layout.unpack(tokens[torch.from_numpy(best).to(planner.device)])
        normalizer = planner.model.normalizer
        return checked_plan(
            Plan(
                observations=moving[best],
                actions=planner.model.clipped(normalizer.actions_back(actions)).cpu().numpy(),
                rewards=normalizer.rewards_back(rewards).cpu().numpy(),
                arrival=score.arrival[best],
                num_steps=proposals.num_steps[best],
                value=value[best],
                steps_per_point=layout.steps_per_point,
            )
        )

    def _values(
        self, arrival: np.ndarray, places: np.ndarray, plans: Proposals, *, familiar: np.ndarray, paths: np.ndarray
    ) -> np.ndarray:
        """Minus what plans cost: steps to the goal, or all and how far it is from there; doubt; and risk."""
        missed, counted = arrival > plans.num_steps, np.minimum(arrival, plans.num_steps)
        ends = places[np.arange(len(places)), plans.num_steps - 1]
        left = np.linalg.norm(ends - plans.goals, axis=-1) / self.planner.model.goal_radius
        steps = np.where(missed, 1 + places.shape[1] + left, arrival)
        near = np.minimum(counted, self.foreseen_steps)[:, None]  # what comes later will be planned anew
        points = near > plans.steps_per_point * np.arange(familiar.shape[1])
        doubt = self.planner.settings.ood_penalty * (points & ~familiar).sum(axis=1) / points.sum(axis=1)
        rows = np.arange(len(places)).reshape(len(paths), -1)
        risks = [self.discs(each).risks(places[row], counted[row]) for each, row in zip(paths, rows, strict=True)]
        return -steps - doubt - self.collision_cost * np.concatenate(risks)

    def _aside(self, states: np.ndarray, *, num_tokens: int, generators: Sequence[torch.Generator]) -> Candidates:
        """Ways to places around ``states``, as far as others are foreseen."""
        angles = np.linspace(0, 2 * np.pi, NUM_WAYS, endpoint=False)
        around = ASIDE * self.planner.model.goal_radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        bounds, steps = self.planner.reach.goals, self.planner.steps_per_token
        places = np.clip(states[:, None, : self.goal_dim] + around, bounds.low, bounds.high)
        return self._one.sample(
            self._one.believe(states.repeat(NUM_WAYS, axis=0), places.reshape(-1, self.goal_dim)),
            num_tokens=min(num_tokens, math.ceil(self.foreseen_steps / steps)),
            generators=[generator for generator in generators for _ in angles],
        )

    def discs(self, paths: np.ndarray) -> MovingDiscs:
        """What is to be kept out of where others are foreseen to go along ``paths``."""
        return MovingDiscs(paths, self.radius, margin=self.margin, patience=self.patience)

    def _places(self, starts: np.ndarray, states: np.ndarray) -> np.ndarray:
        """Places ``(plans, steps, dim)``, at first where planned velocities lead, later as they are predicted.

        Predicted places are a little off from the first step on; what velocities add up to drifts.
        """
        dim, every = self.goal_dim, self.planner.model.layout.steps_per_point
        state = steps_along(starts[:, : 2 * dim], states[..., : 2 * dim], steps_per_point=every)
        ahead = np.arange(1, state.shape[1] + 1)[:, None]
        led = starts[:, None, :dim] + state[..., dim:].cumsum(axis=1)
        return (SETTLED * led + ahead * state[..., :dim]) / (SETTLED + ahead)

    def _foresee(self, others: np.ndarray, *, num_steps: int, generators: Sequence[torch.Generator]) -> np.ndarray:
        """Places ``(batch, others, futures, steps, dim)`` where ``others`` ``(batch, others, state)`` may be."""
        dim, (batch, count, own) = self.goal_dim, others.shape
        if self.foresee == "model":
            model, flat = self.planner.model, others.reshape(-1, own)
            futures = self._aimless.sample(
                self._aimless.believe(flat),
                num_tokens=math.ceil(num_steps / model.layout.steps_per_token),
                generators=[generator for generator in generators for _ in range(count)],
            )
            states = model.normalizer.observations_back(model.layout.unpack(futures.tokens)[2]).cpu().numpy()
            places = self._places(flat.repeat(len(states) // len(flat), axis=0), states)
            return places.reshape(batch, count, -1, *places.shape[1:])
        moving = others[..., dim : 2 * dim] * (self.foresee == "constant velocity")
        paths = others[:, :, None, :dim] + moving[:, :, None] * np.arange(1, num_steps + 1)[:, None]
        return paths[:, : 0 if self.foresee == "unseen" else count, None]
