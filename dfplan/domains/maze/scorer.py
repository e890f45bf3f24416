"""Scores plans of a point mass among walls: the believable one that arrives first is best."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dfplan.domain import Proposals, Score
from dfplan.measured import check_physics, positive
from dfplan.scorers.paths import first_arrival, steps_along
from dfplan.scorers.support import known_range
from dfplan.types import DoubleIntegrator, Plan, Reach, Support

if TYPE_CHECKING:
    from dfplan.domains.maze.surroundings import Surroundings
    from dfplan.planner.constraints import Constraints
    from dfplan.planner.planner import Planner

VISITED = "support.visited"
PART_LENGTH = 2.0  # environment units of the shortest way from one place to the next that plans are made by way of


@dataclass(frozen=True)
class PointMassScorer:
    """For observations that are a position followed by its velocity, and goals that are positions.

    Attributes:
        dynamics: how actions move the agent, as measured on the data.
        support: which positions the data visited.
        goal_radius: distance that counts as being at the goal.
        consistency_penalty: doubt per :func:`largest_jump`.
        ood_penalty: doubt per :func:`share_outside`.
        surroundings: where plans may go that must keep something; None where nothing has to be kept.
        part_length: of parts of the shortest way that plans are made by way of, where the map is not the data's but was
            told, in environment units; None where it is the data's.
    """

    dynamics: DoubleIntegrator
    support: Support
    goal_radius: float
    consistency_penalty: float = 4.0
    ood_penalty: float = 60.0
    surroundings: "Surroundings | None" = field(default=None, repr=False, compare=False)
    part_length: float | None = None

    kind = "point_mass"
    counts_steps = True

    def score(self, plans: Proposals) -> Score:
        """See :class:`~dfplan.domain.PlanScorer`; of plans that never arrive, the nearest is best."""
        dim, starts, goals = plans.goals.shape[1], plans.starts, plans.goals
        positions = steps_along(starts[:, :dim], plans.states[..., :dim], steps_per_point=plans.steps_per_point)
        arrival = first_arrival(
            positions, goals, radius=self.goal_radius, num_steps=plans.num_steps, after=plans.not_before
        )
        jump = largest_jump(
            starts,
            plans.states,
            arrival=arrival,
            steps_per_point=plans.steps_per_point,
            dynamics=self.dynamics,
        )
        planned = np.arange(positions.shape[1]) < plans.num_steps[:, None]
        nearest = np.where(planned, np.linalg.norm(positions - goals[:, None], axis=-1), np.inf).min(axis=1)
        outside = share_outside(positions, arrival=arrival, support=self.support)
        doubt = self.consistency_penalty * jump + self.ood_penalty * outside
        # Nearness only decides among equals, or where none arrives: it is squashed below one step.
        cost = (arrival + nearest / (1 + nearest)) * (1 + doubt)
        return Score(value=-cost, arrival=arrival)

    def finished(self, states: np.ndarray, goals: np.ndarray) -> np.ndarray:
        """See :class:`~dfplan.domain.PlanScorer`: where a position is within the radius of the goal."""
        distance = np.linalg.norm(states[..., : goals.shape[1]] - goals[:, None], axis=-1)
        return distance <= self.goal_radius

    def lower_bound(self, states: np.ndarray, goals: np.ndarray) -> np.ndarray:
        """See :class:`~dfplan.domain.PlanScorer`: in a straight line at full speed."""
        dim = goals.shape[1]
        gaps = np.linalg.norm(states[..., :dim] - goals, axis=-1) - self.goal_radius
        # Full speed is per axis: along the diagonal it is larger.
        return np.maximum(gaps, 0) / (math.sqrt(dim) * self.dynamics.max_speed * self.dynamics.step)

    def is_familiar(self, states: np.ndarray) -> np.ndarray:
        """See :class:`~dfplan.domain.PlanScorer`: where the data visited the position."""
        return self.support.contains(states[..., : self.support.visited.ndim])

    @property
    def step_seconds(self) -> float:
        """Time from step to step, as measured on the data."""
        return self.dynamics.step

    def reach(self, mean: np.ndarray, std: np.ndarray, *, goal_dim: int, margin: float | None) -> Reach:
        """See :class:`~dfplan.domain.PlanScorer`."""
        known = None if margin is None else known_range(self.support, self.dynamics, margin=margin)
        return Reach.around(mean, std, goal_dim=goal_dim, dynamics=self.dynamics, known=known)

    def keeping(self, constraints: "Constraints") -> "PointMassScorer":
        """See :class:`~dfplan.domain.PlanScorer`: what is forbidden counts as never visited."""
        from dfplan.domains.maze.surroundings import Surroundings

        around = Surroundings(self.support, constraints)
        return replace(self, support=constraints.restrict(self.support), surroundings=around)

    def with_map(self, support: Support) -> "PointMassScorer":
        """The same, told where places can be: plans go by way of the shortest path there."""
        from dfplan.domains.maze.surroundings import Surroundings
        from dfplan.planner.constraints import Constraints

        around = Surroundings(support, Constraints())
        return replace(self, support=support, surroundings=around, part_length=PART_LENGTH)

    @property
    def plans_by_parts(self) -> bool:
        """Whether plans are made part by part though nothing has to be kept."""
        return self.part_length is not None

    def plan_parts(self, planner: "Planner", context: Any, goal: Any, **asked: Any) -> Plan:
        """See :class:`~dfplan.domain.PlanScorer`."""
        from dfplan.domains.maze.parts import PartPlanner

        return PartPlanner(planner, context, goal, **asked).plan()

    def with_penalties(self, penalties: Mapping[str, float]) -> "PointMassScorer":
        """See :class:`~dfplan.domain.PlanScorer`."""
        return replace(self, **{name: penalties[name] for name in ("consistency_penalty", "ood_penalty")})

    def check(self, mean: np.ndarray, std: np.ndarray) -> None:
        """See :class:`~dfplan.domain.PlanScorer`."""
        reach = self.reach(mean, std, goal_dim=self.support.origin.size, margin=None)
        check_physics(reach=reach, dynamics=self.dynamics, support=self.support, goal_radius=self.goal_radius)

    def describe(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """See :class:`~dfplan.domain.PlanScorer`; penalties are the planner's."""
        support = {"origin": self.support.origin.tolist(), "cell": self.support.cell}
        described = {"goal_radius": self.goal_radius, "point_mass": vars(self.dynamics), "support": support}
        return described, {VISITED: self.support.visited.astype(np.uint8)}

    @classmethod
    def from_description(cls, described: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> "PointMassScorer":
        """Undo :meth:`describe`.

        Raises:
            KeyError, TypeError, ValueError: it makes no sense.
        """
        mass, support = described["point_mass"], described["support"]
        return cls(
            dynamics=DoubleIntegrator(**{name: positive(name, value) for name, value in mass.items()}),
            support=Support(
                visited=arrays[VISITED] > 0,
                origin=np.array(support["origin"], dtype=np.float64),
                cell=positive("cell", support["cell"]),
            ),
            goal_radius=positive("goal_radius", described["goal_radius"]),
        )


SCORER = PointMassScorer  # as bundles know it


def largest_jump(
    start: np.ndarray, states: np.ndarray, *, arrival: np.ndarray, steps_per_point: int, dynamics: DoubleIntegrator
) -> np.ndarray:
    """How far a plan's positions disagree with its own velocities, at worst, before it arrives.

    A plan that cuts through a wall moves farther between two points than the velocities at these points say. The
    measure needs no map.

    Args:
        start: ``(batch, 2 * dim)`` state planned from: positions, then velocities.
        states: ``(batch, points, 2 * dim)`` planned states, one every ``steps_per_point`` steps.
        arrival: ``(batch,)`` step of arrival; later points do not count.
        steps_per_point: steps between two points.
        dynamics: tells how far a velocity moves the agent in one step.

    Returns:
        ``(batch,)`` in units of the farthest that the agent can move between two points.
    """
    dim = start.shape[1] // 2
    knots = np.concatenate([start[:, None], states], axis=1)
    seconds = dynamics.step * steps_per_point
    moved = np.diff(knots[..., :dim], axis=1)
    by_velocity = seconds * (knots[:, 1:, dim:] + knots[:, :-1, dim:]) / 2
    jump = np.abs(moved - by_velocity).max(axis=-1)
    counted = np.arange(states.shape[1]) * steps_per_point < arrival[:, None]
    return np.where(counted, jump, 0).max(axis=1) / (seconds * dynamics.max_speed)


def share_outside(positions: np.ndarray, *, arrival: np.ndarray, support: Support) -> np.ndarray:
    """Share of each path's steps before arrival that lie where the data never was, ``(batch,)``.

    Args:
        positions: ``(batch, steps, dim)``, entry ``k`` after ``k + 1`` steps.
        arrival: ``(batch,)`` step of arrival.
        support: where the data was.
    """
    counted = np.arange(1, positions.shape[1] + 1) <= arrival[:, None]
    return (counted & ~support.contains(positions)).sum(axis=1) / counted.sum(axis=1)
