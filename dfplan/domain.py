"""What is known of a family of problems besides its data: its sizes, its rewards, and what makes a plan good there.

The core (tokens, models, planner, agent, training) asks only for what stands here; NumPy and types, no torch.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from dfplan.protocol import EvaluationProtocol, Observed
from dfplan.types import Bounds, Plan, Reach, Trajectories

if TYPE_CHECKING:
    import gymnasium
    from torch import Tensor

    from dfplan.agent.controllers import Controller
    from dfplan.agent.plan_maker import PlanMaker
    from dfplan.evaluation.rollout import Agent
    from dfplan.planner.constraints import Constraints
    from dfplan.planner.planner import Planner
    from dfplan.planner.tree_planner import PlanTrees
    from dfplan.settings.resynthesis import ResynthesisSettings


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
        resolution: differences in value of less than this say nothing, as predictions are not that exact.
    """

    value: np.ndarray
    arrival: np.ndarray
    resolution: float = 0.0


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

    def keeping(self, constraints: "Constraints") -> "PlanScorer":
        """The same for plans that must keep them; a UserError where it cannot."""
        ...

    def plan_parts(self, planner: "Planner", context: "Tensor", goal: "Tensor", **asked: object) -> Plan:
        """Plans made part by part, so that they keep what they must.

        ``asked`` is as of :meth:`dfplan.planner.Planner.sample`, and ``passed``, way-points that are done with.
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

    def describe(self) -> tuple[dict[str, object], dict[str, np.ndarray]]:
        """What a bundle keeps of it: plain JSON values, and arrays by dotted names."""
        ...


@dataclass(frozen=True)
class Situation:
    """From where to where a plan is wanted.

    Attributes:
        observation: ``(observation_dim,)``.
        goal: ``(goal_dim,)``.
        text: the same in words.
        frames: ``(2, height, width, 3)`` what is seen there, at the start and at the goal; None where states are shown.
    """

    observation: np.ndarray
    goal: np.ndarray
    text: str
    frames: np.ndarray | None = None


# Options of `dfplan eval` that not every domain has, and their defaults.
OPTIONS: Mapping[str, str | None] = {
    "goal": "fixed",
    "goal_given": "image",
    "view": "top",
    "vectorization": "batched",
    "tokenizer": "trained",
    "agent": "trained",
    "ddim_steps": None,
}


class Domain(Protocol):
    """One family of problems."""

    @property
    def env_id(self) -> str:
        """Gymnasium id."""
        ...

    @property
    def spec(self) -> Spec:
        """Its sizes."""
        ...

    @property
    def options(self) -> Collection[str]:
        """Options of evaluations that are of this family alone, of those that :data:`OPTIONS` lists."""
        ...

    @property
    def procedure(self) -> Collection[str]:
        """Options of `dfplan generate` that its way of making data has; empty where there is no way."""
        ...

    @property
    def shows_frames(self) -> bool:
        """Whether agents are shown pictures rather than states."""
        ...

    @property
    def achieved_apart(self) -> bool:
        """Whether what was achieved of a goal is shown apart, and put in front of the observation."""
        ...

    @property
    def can_resynthesise(self) -> bool:
        """Whether what is trained on may be resynthesised: the trajectories of the data, driven again, faster."""
        ...

    @property
    def tasks(self) -> Collection[str] | None:
        """Names of what can be trained for it, of :mod:`dfplan.tasks`; None is all."""
        ...

    @property
    def tells_goals(self) -> bool:
        """Whether agents are told of goals, where there are any."""
        ...

    def generate(
        self,
        path: Path,
        *,
        num_steps: int | None,
        on_progress: Callable[[int, int], None],
        say: Callable[[str], None],
        **how: object,
    ) -> None:
        """Make a data set by a documented procedure, as ``dfplan generate`` does.

        Args:
            path: of the HDF5 file to write, in D4RL's layout.
            num_steps: transitions; None is what the procedure has.
            on_progress: called as ``on_progress(done, total)``.
            say: hears what was found on the way.
            how: ``seed``, and of :attr:`procedure` what is asked for: ``noise`` on the actions (standard deviation),
                ``quality`` of those who drive, ``policy``, the path of one.

        Raises:
            UserError: no procedure is known, or it cannot be written.
        """
        ...

    def load(self, source: str, *, say: Callable[[str], None], **how: object) -> Trajectories:
        """Read a data set and check that it is of this domain.

        Args:
            source: what ``data=`` names.
            say: hears what was left out of it.
            how: ``cache_folder``, where generated or downloaded data is kept; ``leave_out``, episodes that are not
                read; ``bar``, which makes a progress bar of a description.

        Raises:
            UserError: it is missing, damaged, or of something else.
        """
        ...

    def take(self, data: Trajectories, *, say: Callable[[str], None]) -> Trajectories:
        """Data that were read already, as plans are made of them; a UserError where they are of something else."""
        ...

    def show(self, data: Trajectories) -> Trajectories:
        """The same as agents are shown it: where there are pictures, with these and what is shown beside them."""
        ...

    def fit_scorer(self, data: Trajectories) -> PlanScorer:
        """Measure what makes a plan good; a UserError where the data lack what it takes."""
        ...

    def resynthesise(
        self, data: Trajectories, resynthesis: "ResynthesisSettings", *, scorer: PlanScorer, **how: object
    ) -> Trajectories:
        """Trajectories driven again, where :attr:`can_resynthesise`; ``how`` is ``seed`` and ``on_progress``."""
        ...

    def achieved_goal(self, observations: np.ndarray) -> np.ndarray:
        """What observations ``(..., observation_dim)`` have achieved of a goal, ``(..., goal_dim)``."""
        ...

    def seen(self, env: "gymnasium.Env", observed: Observed) -> tuple[np.ndarray, np.ndarray]:
        """What an agent plans from ``(observation_dim,)`` and to ``(goal_dim,)``, of what an environment shows.

        A UserError where it tells no goal.
        """
        ...

    def situation(self, *, start: Sequence[float] | None, goal: Sequence[float] | None, seed: int) -> Situation:
        """From where to where ``dfplan plan`` plans.

        Args:
            start: what the user says of it, None is nothing.
            goal: likewise.
            seed: of what is random.

        Raises:
            UserError: nothing can be there.
        """
        ...

    def check_place(self, name: str, place: Sequence[float]) -> None:
        """Refuse a place that an option names with a UserError, if nothing can be there."""
        ...

    def controllers(self) -> Mapping[str, "Callable[..., Controller]"]:
        """Controllers of its own: functions of ``(model, constraints, **options)``, the one to be preferred first."""
        ...

    def agents(self) -> Mapping[str, "Callable[[], Agent]"]:
        """Agents of its own that need no weights."""
        ...

    def planners(self) -> Mapping[str, "Callable[..., PlanMaker]"]:
        """Planners of its own that need no network: functions of a model, for what it has measured, and ``margin``."""
        ...

    def protocol(self, **options: str) -> EvaluationProtocol:
        """How it is evaluated; see :attr:`options`."""
        ...

    def remark(self, plan: Plan) -> str:
        """What else is to be said of the first plan; "" is nothing."""
        ...

    def draw_plan(self, plan: Plan, situation: Situation, *, path: Path, title: str, **shown: object) -> Path:
        """Draw the first plan; ``shown`` are the scheduling ``matrix`` and ``guidance``, where there are."""
        ...

    def draw_tree(self, trees: "PlanTrees", situation: Situation, *, path: Path, title: str) -> Path | None:
        """Draw a tree of plans; None where there is no picture of one."""
        ...
