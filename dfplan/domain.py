"""What is known of a family of problems besides its data: its sizes, its rewards, and what makes a plan good there.

The core (tokens, models, planner, agent, training) asks only for what stands here; NumPy and types, no torch.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from dfplan.types import Bounds, Plan, Reach, Trajectories


@dataclass(frozen=True)
class Spec:
    """The sizes of a problem.

    Attributes:
        observation_dim: numbers in an observation; with goals, the first ``goal_dim`` of them are what was achieved.
        action_bounds: between which numbers actions lie, ``(action_dim,)`` each.
        goal_dim: numbers in a goal; 0 where there are no goals.
        episode_steps: steps of an episode, at most.
        step_seconds: time from step to step; None where nobody says.
    """

    observation_dim: int
    action_bounds: Bounds
    goal_dim: int
    episode_steps: int
    step_seconds: float | None = None


@dataclass(frozen=True)
class Proposals:
    """Plans as a scorer sees them, in the units of the environment.

    Attributes:
        starts: ``(plans, observation_dim)``, what was planned from.
        states: ``(plans, points, observation_dim)``, one every ``steps_per_point`` steps.
        rewards: ``(plans, tokens)`` predicted mean reward of a step, one every ``steps_per_token`` steps.
        goals: ``(plans, goal_dim)``.
        num_steps: ``(plans,)`` int64, how many steps of each are planned; what lies beyond them is no plan.
        steps_per_point: steps between two states.
        steps_per_token: steps between two rewards.
        not_before: ``(plans,)`` step before which being at the goal is no arrival; None is any.
    """

    starts: np.ndarray
    states: np.ndarray
    rewards: np.ndarray
    goals: np.ndarray
    num_steps: np.ndarray
    steps_per_point: int
    steps_per_token: int
    not_before: np.ndarray | None = None


@dataclass(frozen=True)
class Score:
    """What a scorer says of plans.

    Attributes:
        value: ``(plans,)``; larger is better.
        arrival: ``(plans,)`` int64, the step at which each first reaches its goal; ``num_steps + 1`` where it never
            does, or there is none.
    """

    value: np.ndarray
    arrival: np.ndarray


class PlanScorer(Protocol):
    """What makes one plan better than another. It is measured once, at training, and travels in the bundle."""

    @property
    def kind(self) -> str:
        """Its name in a bundle, by which :func:`dfplan.scorers.read_scorer` finds it."""
        ...

    @property
    def counts_steps(self) -> bool:
        """Whether a value is minus a number of steps, so that what is still to come can be bounded from below."""
        ...

    def score(self, plans: Proposals) -> Score:
        """Value and arrival of plans."""
        ...

    def finished(self, states: np.ndarray, goals: np.ndarray) -> np.ndarray:
        """Which states ``(plans, points, observation_dim)`` are at their goals ``(plans, goal_dim)``.

        Returns:
            ``(plans, points)`` bool; a plan needs no tokens after such a state. All False where there are no goals.
        """
        ...

    def lower_bound(self, states: np.ndarray, goals: np.ndarray) -> np.ndarray:
        """Fewest steps from states ``(batch, observation_dim)`` to goals, ``(batch,)``; 0 is not to know."""
        ...

    def is_familiar(self, states: np.ndarray) -> np.ndarray:
        """Which states ``(batch, observation_dim)`` are like those of the data, ``(batch,)`` bool."""
        ...

    def reach(self, mean: np.ndarray, std: np.ndarray, *, goal_dim: int, margin: float | None) -> Reach:
        """What can be asked of a planner with this scorer.

        Args:
            mean: ``(observation_dim,)`` of its data.
            std: ``(observation_dim,)`` likewise.
            goal_dim: numbers in a goal.
            margin: how far outside the range of the data may be asked for, as a share of it, where the scorer knows
                that range; None, or where it does not, is anywhere not far from the data's mean, as where observations
                are noise at times and known as such.
        """
        ...

    def keeping(self, constraints: Any) -> "PlanScorer":
        """The same for plans that must keep :class:`~dfplan.planner.constraints.Constraints`.

        Raises:
            UserError: it cannot.
        """
        ...

    def plan_parts(self, planner: Any, context: Any, goal: Any, **asked: Any) -> Plan:
        """Plans of a :class:`~dfplan.planner.Planner`, made part by part so that they keep what they must.

        The arguments are those of :meth:`dfplan.planner.Planner.sample`, and ``passed``, those way-points that need not
        be passed any more.
        """
        ...

    def with_penalties(self, penalties: Mapping[str, float]) -> "PlanScorer":
        """The same, where the penalties of :class:`~dfplan.planner.PlannerSettings` that it knows have these values."""
        ...

    def check(self, mean: np.ndarray, std: np.ndarray) -> None:
        """Refuse what cannot have been measured on data with these statistics of ``(observation_dim,)``.

        Raises:
            ValueError: names what does not fit.
        """
        ...

    def describe(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """What a bundle keeps of it: plain JSON values, and arrays by dotted names."""
        ...


class Domain(Protocol):
    """One family of problems."""

    @property
    def spec(self) -> Spec:
        """Its sizes."""
        ...

    def load(self, source: str, *, say: Callable[[str], None]) -> Trajectories:
        """Read a data set and check that it is of this domain; ``say`` hears what was left out of it.

        Raises:
            UserError: it is missing, damaged, or of something else.
        """
        ...

    def fit_scorer(self, data: Trajectories) -> PlanScorer:
        """Measure what makes a plan good.

        Raises:
            UserError: the data lack what it takes.
        """
        ...
