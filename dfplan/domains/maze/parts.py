"""Plans that keep what they must: made part by part, mended, driven in imagination and judged, in rounds if need be.

::

    start ──part── way-point ──part── way-point ──part── goal       each part: candidates of the model towards its end
                     ╰──part── via ──part──╯                        no candidate can be mended: by way of another place
    driven in imagination, way-points passed, regions and speed limit kept  →  the plan, judged step by step

The candidates of a part are the model's, ranked as any plan; the first that can be mended is taken
(:mod:`dfplan.domains.maze.repair`). Where none can, the part is planned by way of a place that the shortest path over
allowed visited positions passes halfway ("routes"), and again, until parts are short; a short one that fails is that
path.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from dfplan.domains.maze.journey import Journey, Target
from dfplan.domains.maze.path_tracker import PathTracker, arc_lengths
from dfplan.domains.maze.repair import Course, imagine
from dfplan.planner.choice import BROKEN, states_of
from dfplan.types import Plan, Verdict

if TYPE_CHECKING:
    from dfplan.planner.planner import Planner

TUBE = 0.2  # environment units by which imagined driving may leave a path
STRANGE = 1.0  # what a position that the data never visited counts as there, in units outside the tube
NARROW_TUBE = 0.1  # the same in the last round


@dataclass(frozen=True)
class Driven:
    """One environment's plan, driven in imagination.

    Attributes:
        states: ``(steps + 1, 2 * dim)``, the start first.
        actions: ``(steps, dim)`` float32.
        verdict: on the steps, one row.
        arrival: step at which it reaches the goal, the way-points passed; ``steps + 1`` where it does not.
        first: which candidate its first part was.
    """

    states: np.ndarray
    actions: np.ndarray
    verdict: Verdict
    arrival: int
    first: int

    @property
    def rank(self) -> tuple[int, int, int]:
        """Smaller is better: what it breaks and misses, whether it fails to arrive, how late it is."""
        broken = len(self.verdict.broken[0]) + int(self.verdict.missed.sum())
        return broken, int(self.arrival > len(self.actions)), self.arrival


class PartPlanner:
    """Makes the plans of one call of :meth:`~dfplan.planner.Planner.plan`; the arguments are those of it.

    Args:
        planner: has constraints.
        context: ``[batch, observation_dim]``.
        goal: ``[batch, goal_dim]``.
        num_tokens: most tokens of a plan.
        generators: one an environment.
        passed: way-points passed before, or None.
        committed: actions to begin with, or None.
        deadline: on the clock of ``time.perf_counter``.
        record_history: whether to keep how the first parts were denoised.
    """

    def __init__(
        self,
        planner: "Planner",
        context: Tensor,
        goal: Tensor,
        *,
        num_tokens: int,
        generators: Sequence[torch.Generator],
        passed: np.ndarray | None,
        committed: Sequence[np.ndarray] | None,
        deadline: float,
        record_history: bool,
    ) -> None:
        self.planner = planner
        self.scorer: Any = planner.scorer  # that of a point mass, which this is asked by
        self.around = self.scorer.surroundings
        self.states, self.goals = (each.cpu().numpy().astype(np.float64) for each in (context, goal))
        self.num_tokens, self.generators = num_tokens, generators
        seconds = num_tokens * planner.model.layout.steps_per_token * self.scorer.dynamics.step
        self.farthest = seconds * self.scorer.dynamics.max_speed
        self.passed = np.zeros((len(goal), len(planner.constraints.waypoints)), bool) if passed is None else passed
        self.committed = committed
        self.deadline, self.record_history = deadline, record_history
        self.evaluations = np.zeros((len(goal), 2), np.int64)
        self.history: list[Tensor] = []

    def plan(self) -> Plan:
        """The best of some rounds for every environment; those whose plan keeps everything have no more rounds."""
        settings, best = self.planner.settings.guidance, dict[int, Driven]()
        rows = list(range(len(self.goals)))
        for number in range(settings.rounds):
            is_last = 0 < number == settings.rounds - 1 and settings.method != "parts"
            for row, driven in self._round(rows, number=number, is_last=is_last).items():
                if row not in best or driven.rank < best[row].rank:
                    best[row] = driven
            rows = [row for row in rows if best[row].rank[:2] != (0, 0)]
            if not rows or time.perf_counter() >= self.deadline:
                break
        found = [best[row] for row in range(len(self.goals))]
        history = None
        if self.history:
            count = len(self.history[0]) // len(found)
            chosen = np.array([count * row + driven.first for row, driven in enumerate(found)])
            history = states_of(self.planner.model, self.history, chosen)
        return replace(
            self._as_plan(found),
            history=history,
            evaluations=self.evaluations[:, 0],
            token_evaluations=self.evaluations[:, 1],
        )

    def _round(self, rows: Sequence[int], *, number: int, is_last: bool) -> dict[int, Driven]:
        """Plans for some environments; the last round is the shortest way, driven closely."""
        journeys = {row: self._begin(row) for row in rows}
        opening = True
        while going := {row: journey for row, journey in journeys.items() if journey.targets}:
            if is_last or (time.perf_counter() >= self.deadline and (number or not opening)):
                for journey in going.values():
                    journey.finish()
                break
            self._next_parts(going, opening=opening, is_first_round=number == 0)
            opening = False
            for journey in going.values():
                if self.scorer.part_length is not None and arc_lengths(journey.path)[-1] > self.farthest:
                    journey.leave()  # it is planned for anew before it comes there
        return self._driven(journeys, tube=NARROW_TUBE if is_last else TUBE)

    def _begin(self, row: int) -> Journey:
        """A journey past the way-points that are left, in the order given or in that of the shortest way."""
        asked, goal, dim = self.planner.constraints, self.goals[row], self.goals.shape[1]
        places = [np.array(asked.waypoints[number]) for number in np.flatnonzero(~self.passed[row]).tolist()]
        if len(places) > 1 and not asked.in_order:
            places = self.around.ordered(self.states[row, :dim], places, goal)
        targets = [Target(place, is_stop=True) for place in (*places, goal)]
        journey = Journey(self.around, self.states[row], targets, path=self.states[row, None, :dim])
        if self.scorer.part_length is not None:
            journey.go_by_way(self.scorer.part_length)
        return journey

    def _next_parts(self, going: dict[int, Journey], *, opening: bool, is_first_round: bool) -> None:
        """The next part of every journey, or the decision to go by way of another place."""
        committed = None
        if opening and self.committed is not None:
            committed = [self.committed[row] for row in going]
        drafts, history = self.planner.draft(
            np.stack([journey.state for journey in going.values()]),
            np.stack([journey.targets[0].place for journey in going.values()]),
            num_tokens=self.num_tokens,
            generators=[self.generators[row] for row in going],
            committed=committed,
            deadline=self.deadline,
            record_history=self.record_history and opening and is_first_round,
        )
        self.history = history or self.history
        for (row, journey), draft in zip(going.items(), drafts, strict=True):
            self.evaluations[row] += draft.evaluations
            if journey.take(draft):
                continue
            goes_on = False
            if self.planner.settings.guidance.method == "routes":
                goes_on = journey.go_by_halves()
            elif self.planner.settings.guidance.method == "detours":
                seed = int(torch.randint(2**31, (1,), generator=self.generators[row]))
                goes_on = journey.go_by_chance(np.random.default_rng(seed))
            if not goes_on:
                journey.take_unmended(draft)

    def _driven(self, journeys: dict[int, Journey], *, tube: float) -> dict[int, Driven]:
        """Journeys driven in imagination, and judged."""
        planner, rows, dim = self.planner, list(journeys), self.goals.shape[1]
        model, goals = planner.model, self.goals[rows]
        tracker = PathTracker(
            model.dynamics,
            goal_radius=model.goal_radius,
            support=self.scorer.support,
            tube=tube,
            strange=STRANGE,
            constraints=planner.constraints,
        )
        courses = [
            Course(journey.path, journey.stops, self.goals[row] if journey.ends else journey.path[-1])
            for row, journey in journeys.items()
        ]
        drive = imagine(
            tracker,
            self.states[rows, : 2 * dim],
            courses,
            dynamics=model.dynamics,
            num_steps=self.num_tokens * model.layout.steps_per_token,
            committed=None if self.committed is None else [self.committed[row] for row in rows],
        )
        positions = drive.states[..., :dim]
        verdict = planner.constraints.judge(
            positions,
            num_steps=drive.num_steps,
            radius=model.goal_radius,
            seconds_per_step=model.dynamics.step,
            passed=self.passed[rows],
        )
        there = np.linalg.norm(positions - goals[:, None], axis=-1) <= model.goal_radius
        there &= np.arange(positions.shape[1]) >= np.maximum(verdict.passes.max(axis=1, initial=1), 1)[:, None]
        found = {}
        for index, row in enumerate(rows):
            steps = int(drive.num_steps[index])
            arrivals = np.flatnonzero(there[index, : steps + 1])
            found[row] = Driven(
                states=drive.states[index, : steps + 1],
                actions=drive.actions[index, :steps],
                verdict=verdict.rows(np.array([index])),
                arrival=int(arrivals[0]) if len(arrivals) else steps + 1,
                first=journeys[row].first,
            )
        return found

    def _as_plan(self, found: Sequence[Driven]) -> Plan:
        """Plans of whole tokens: what was driven, and where that ends within a token, nothing more."""
        layout, dim = self.planner.model.layout, self.goals.shape[1]
        tokens = np.array([-(-len(driven.actions) // layout.steps_per_token) for driven in found])
        num_steps = np.clip(tokens, 1, self.num_tokens) * layout.steps_per_token
        longest = int(num_steps.max())

        def padded(values: np.ndarray, mode: str) -> np.ndarray:
            return np.pad(values, [(0, longest - len(values)), (0, 0)], mode=mode)  # type: ignore[call-overload]

        states = np.stack([padded(driven.states[1:], "edge") for driven in found])
        arrival = np.array([driven.arrival for driven in found], dtype=np.int64)
        arrival = np.where(arrival > [len(driven.actions) for driven in found], num_steps + 1, arrival)
        there = np.linalg.norm(states[..., :dim] - self.goals[:, None], axis=-1) <= self.planner.model.goal_radius
        broken = np.array([driven.rank[0] for driven in found])
        return Plan(
            observations=states[:, layout.steps_per_point - 1 :: layout.steps_per_point].astype(np.float32),
            actions=np.stack([padded(driven.actions, "constant") for driven in found]),
            rewards=there.reshape(len(there), -1, layout.steps_per_token).mean(axis=-1).astype(np.float32),
            arrival=arrival,
            num_steps=num_steps,
            value=-arrival - BROKEN * longest * broken,
            steps_per_point=layout.steps_per_point,
            verdict=Verdict.stack([driven.verdict for driven in found]) if self.planner.constraints else None,
        )
