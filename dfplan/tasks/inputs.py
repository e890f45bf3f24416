"""What every task is given besides its own settings."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dfplan.errors import UserError
from dfplan.settings.resynthesis import ResynthesisSettings
from dfplan.settings.training import OptimizerSettings

if TYPE_CHECKING:  # numpy is slow to import, and `--help` needs the settings alone
    from dfplan.domain import Domain, PlanScorer
    from dfplan.types import Trajectories


@dataclass(frozen=True)
class Inputs:
    """What every task is given besides its own settings.

    Attributes:
        env_name: the environment in result files and weights.
        env_id: its Gymnasium id.
        num_tokens: tokens of a training window of this environment.
        seed: what every random number derives from; ``build`` seeds the initial weights with it.
        cache_folder: where datasets, and what else can be made again, are kept.
        optimizer: how weights are moved; what is said of Muon counts where the task uses it.
        provenance: how the weights come to be; belongs into the description of what is exported.
        say: tells the person at the terminal a line.
        progress: ``with progress("what") as show: show(done, total)`` shows a progress bar.
        loaded: the data, or None where the task brings its own; tasks read ``trajectories``.
        domain: what is known of the environment.
        acting: how weights of this environment are usually driven, as a bundle says it; nothing where any are alike.
        seen_goal_dim: numbers in a goal, where goals are pictures and observations latents; None elsewhere.
    """

    env_name: str
    env_id: str
    num_tokens: int
    seed: int
    cache_folder: Path
    optimizer: OptimizerSettings
    provenance: Mapping[str, Any]
    say: Callable[[str], None]
    progress: Callable[[str], AbstractContextManager[Callable[[int, int], None]]]
    domain: "Domain"
    loaded: "Trajectories | None" = None
    acting: Mapping[str, Any] = field(default_factory=dict)
    seen_goal_dim: int | None = None

    @property
    def trajectories(self) -> "Trajectories":
        """The data that ``data=`` names.

        Raises:
            UserError: it names none.
        """
        if self.loaded is None:
            raise UserError("data=none, but this task learns from trajectories; give a data set")
        return self.loaded

    def shown(self) -> "Trajectories":
        """The data as agents are shown them: with pictures, and the numbers that are shown beside these.

        Raises:
            UserError: there are none, or no pictures in them.
        """
        shown = self.domain.show(self.trajectories)
        if not shown.pictures:
            raise UserError(
                f"{self.env_name} shows no pictures, so that there is nothing to look at; give an env= that does, such "
                "as pixelmaze-large"
            )
        return shown

    @property
    def goal_dim(self) -> int:
        """Numbers in a goal."""
        return self.domain.spec.goal_dim if self.seen_goal_dim is None else self.seen_goal_dim

    def robot(self) -> dict[str, Any]:
        """What a bundle says of a robot beside its sizes."""
        bounds, seconds = self.domain.spec.action_bounds, self.domain.spec.step_seconds
        return {
            "action_bounds": {name: each.tolist() for name, each in vars(bounds).items()},
            **({} if seconds is None else {"step_seconds": seconds}),
            **({} if self.loaded is None else self._names(self.trajectories)),  # a task may bring its own data
        }

    def _names(self, data: "Trajectories") -> dict[str, list[str]]:
        """What the data call the dimensions that a model sees; nothing of those that it sees otherwise."""
        named = {"observation_names": data.observation_names, "action_names": data.action_names}
        sizes = {"observation_names": data.observations.shape[1], "action_names": data.actions.shape[1]}
        return {name: list(names) for name, names in named.items() if names and len(names) == sizes[name]}

    def resynthesise(
        self, data: "Trajectories", resynthesis: ResynthesisSettings, *, scorer: "PlanScorer"
    ) -> "Trajectories":
        """The data as they are, or, where it is asked for, their trajectories resynthesised.

        Raises:
            UserError: they do not hold what that takes.
        """
        if not resynthesis.num_steps:
            return data
        with self.progress("trajectories resynthesised") as show:
            return self.domain.resynthesise(data, resynthesis, scorer=scorer, seed=self.seed, on_progress=show)

    def check_states(self) -> None:
        """Refuse an environment that shows frames: a planner of states would be trained on what is not shown there.

        Raises:
            UserError: it does.
        """
        if self.domain.shows_frames:
            raise UserError(f"{self.env_name} shows frames, not states; give task=forcing, or another env=")
