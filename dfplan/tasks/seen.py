"""What tasks learn from where an environment shows pictures: the data as a frozen tokenizer sees them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dfplan.domains.frames_settings import FramesSettings
from dfplan.errors import UserError
from dfplan.files import user_path
from dfplan.settings.resynthesis import ResynthesisSettings
from dfplan.tasks.inputs import Inputs

if TYPE_CHECKING:
    from dfplan.domain import PlanScorer
    from dfplan.domains.maze.state_estimator import StateEstimator
    from dfplan.models.sight import LatentSight
    from dfplan.types import Trajectories

NUM_PAIRS = 20_000  # of pictures, by which it is measured how near latents are at the goal
MOST_STEPS = 64  # between the two of a pair


@dataclass(frozen=True)
class Seen:
    """Data as they are seen.

    Attributes:
        inputs: with observations in the place of what is shown.
        driven: the resynthesised trajectories, where they are drawn after that; None where observations are states
            that the domain can resynthesise itself.
        scorer: what makes a plan good by that.
        sight: what looks.
    """

    inputs: Inputs
    driven: "Trajectories | None"
    scorer: "PlanScorer"
    sight: "LatentSight | StateEstimator"

    def ways(self, resynthesis: ResynthesisSettings) -> "Trajectories":
        """What is learned from, resynthesised where that is asked for."""
        if self.driven is not None:
            return self.driven
        return self.inputs.resynthesise(self.inputs.trajectories, resynthesis, scorer=self.scorer)

    def beside(self) -> tuple[dict[str, Any], Callable[[Path], None]]:
        """What a bundle says of how is looked, and what writes the tokenizer into its folder."""
        from dfplan.models.sight import copier

        return {"frames": self.sight.description()}, copier(self.sight.folder)


def looks(inputs: Inputs, frames: FramesSettings) -> bool:
    """Whether a task has pictures to look at.

    Raises:
        UserError: it has none, and is told how to look.
    """
    if inputs.domain.shows_frames:
        return True
    if vars(frames) != vars(FramesSettings()):
        raise UserError(
            f"{inputs.env_name} shows no pictures, and is told how to look (frames.tokenizer={frames.tokenizer}); "
            "leave the options of frames out, or choose an environment that shows pictures, such as pixelmaze-large"
        )
    return False


def look(
    inputs: Inputs,
    frames: FramesSettings,
    *,
    resynthesis: ResynthesisSettings | None = None,
    with_collected: bool = False,
) -> Seen:
    """The first rows of the data as they are seen.

    A keypoint tokenizer says where things are, so that its observations are states to a domain that resynthesises,
    and does so in what was seen. For latents, that is done first, as whoever makes data may, and drawn then.

    Args:
        inputs: of the task.
        frames: how is looked.
        resynthesis: whether trajectories are resynthesised; None is not.
        with_collected: whether the data as collected are looked at as well, where they are resynthesised.

    Raises:
        UserError: there is no tokenizer, it does not fit the pictures, or there is none of these.
    """
    from dfplan.data.split import first_rows
    from dfplan.models.sight import open_sight
    from dfplan.models.tokenizers import KeypointTokenizer, load_tokenizer

    folder = find_tokenizer(frames.tokenizer, env_name=inputs.env_name)
    collected = first_rows(inputs.trajectories, frames.max_rows)
    if inputs.domain.can_resynthesise and isinstance(load_tokenizer(folder)[0], KeypointTokenizer):
        return _look_for_places(inputs, frames, collected, folder=folder)
    driven = collected
    if resynthesis is not None and resynthesis.num_steps:
        measured = inputs.domain.fit_scorer(inputs.trajectories)
        driven = first_rows(inputs.resynthesise(inputs.trajectories, resynthesis, scorer=measured), frames.max_rows)
    shown = inputs.domain.show(driven)
    sight = open_sight(folder, shown, stack=frames.stack, stride=frames.stride)

    def seen(data: "Trajectories") -> "Trajectories":
        with inputs.progress("frames looked at") as show:
            return sight.look(data, cache_folder=inputs.cache_folder / "seen", on_progress=show)

    goal_dim = sight.latent_dim if inputs.domain.spec.goal_dim else 0
    learned = seen(shown)
    scorer = _goal_scorer(inputs, driven, learned, goal_dim=goal_dim) if goal_dim else inputs.domain.fit_scorer(learned)
    others = seen(inputs.domain.show(collected)) if with_collected and driven is not collected else learned
    return Seen(replace(inputs, loaded=others, seen_goal_dim=goal_dim), learned, scorer, sight)


def _look_for_places(inputs: Inputs, frames: FramesSettings, shown: "Trajectories", *, folder: Path) -> Seen:
    from dfplan.domains.maze.seen import see

    seen, estimator = see(
        shown,
        frames,
        domain=inputs.domain,
        folder=folder,
        cache_folder=inputs.cache_folder / "seen",
        progress=inputs.progress,
    )
    measured: Any = inputs.domain.fit_scorer(seen)
    scorer = replace(measured, dynamics=estimator.motion.dynamics)
    return Seen(replace(inputs, loaded=seen), None, scorer, estimator)


def _goal_scorer(inputs: Inputs, states: "Trajectories", seen: "Trajectories", *, goal_dim: int) -> "PlanScorer":
    """Goals are pictures: as near in latents as pictures are, in the mean, that the environment takes for the same.

    Of pairs of moments, as many are that near as are within the radius that the environment has.
    """
    import numpy as np

    from dfplan.scorers import GoalScorer

    generator = np.random.default_rng(inputs.seed)
    first = generator.integers(len(seen) - 1, size=NUM_PAIRS)
    ends = seen.starts[np.searchsorted(seen.starts, first, side="right")] - 1
    second = np.minimum(first + generator.integers(1, MOST_STEPS, size=NUM_PAIRS), ends)
    achieved = inputs.domain.achieved_goal(states.observations)
    apart = np.linalg.norm(achieved[first] - achieved[second], axis=1)
    share = float((apart <= inputs.domain.fit_scorer(states).goal_radius).mean())  # type: ignore[attr-defined]
    latents = seen.observations[:, :goal_dim]
    radius = float(np.quantile(np.linalg.norm(latents[first] - latents[second], axis=1), share))
    inputs.say(f"{inputs.env_name}: at the goal is within {radius:.4g} of its picture, in latents")
    return GoalScorer(radius, ends=True)


def find_tokenizer(name: str, *, env_name: str, option: str = "frames.tokenizer") -> Path:
    """The folder of a tokenizer's bundle: the one that comes with dfplan, a bundle's own, or that of a training run.

    ``option`` is what the person at the terminal gave the name to.

    Raises:
        UserError: there is none.
    """
    from dfplan.models.bundle import find_bundle
    from dfplan.models.library import WEIGHTS
    from dfplan.models.tokenizers import TOKENIZER_FOLDER

    if name == "bundled":
        folder = WEIGHTS / env_name / TOKENIZER_FOLDER
        lacks = f"none comes with dfplan for {env_name}"
    else:
        folder = Path(name)
        lacks = "no model.json there" if user_path(folder).exists() else "no such folder"
    # A planner's bundle is not meant, but what it sees with.
    inside = (f"model/{TOKENIZER_FOLDER}", "model")
    if found := find_bundle(folder / TOKENIZER_FOLDER) or find_bundle(folder, inside=inside):
        return found
    raise UserError(
        f"{option}={name}: {lacks}; train one with `dfplan train task=autoencoder env={env_name}`, or, of one disc "
        f"that moves, task=keypoints env={env_name}, and give {option}=<its run folder>"
    )
