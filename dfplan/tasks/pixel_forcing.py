"""The planner that sees: Diffusion Forcing on what a frozen tokenizer finds in frames, and how fast it moves."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dfplan.domains.maze.seen import FramesSettings
from dfplan.errors import UserError
from dfplan.files import user_path
from dfplan.options import group
from dfplan.tasks import forcing
from dfplan.tasks.inputs import Inputs

if TYPE_CHECKING:
    from dfplan.domain import PlanScorer
    from dfplan.domains.maze.observer import FrameObserver
    from dfplan.training.forcing import ForcingTask
    from dfplan.training.task import Dataset
    from dfplan.types import Trajectories


@dataclass
class Settings(forcing.Settings):
    """The options of the task: those of task=forcing, and how frames are looked at."""

    frames: FramesSettings = group(FramesSettings, "how frames are looked at")


def build(settings: Settings, inputs: Inputs) -> "tuple[ForcingTask, Dataset]":
    """The task and the windows it learns from.

    Raises:
        UserError: the environment has no camera, there is no tokenizer for it, or the data are too short.
    """
    from dfplan.models.bundle import load_bundle, save_bundle
    from dfplan.training.pixel_forcing import PixelForcingTask

    if not inputs.domain.shows_frames:
        raise UserError(
            f"{inputs.env_name} shows states, not frames; give task=forcing, or an env= such as pixelmaze-large"
        )
    seen, observer, scorer = look(inputs, settings.frames)
    tensors, metadata = load_bundle(observer.folder)
    write_tokenizer = partial(save_bundle, tensors=tensors, metadata=metadata)
    make = partial(PixelForcingTask, write_tokenizer=write_tokenizer, frames=observer.description())
    return forcing.build_training(settings, replace(inputs, loaded=seen), make=make, scorer=scorer)


def look(inputs: Inputs, frames: FramesSettings) -> "tuple[Trajectories, FrameObserver, PlanScorer]":
    """The first rows of the data as an observer sees them, the observer, and what makes a plan good by that.

    Raises:
        UserError: there is no tokenizer.
    """
    from dfplan.data.split import first_rows
    from dfplan.domains.maze.seen import see

    seen, observer = see(
        first_rows(inputs.trajectories, frames.max_rows),
        frames,
        env_id=inputs.env_id,
        folder=find_tokenizer(frames.tokenizer, env_name=inputs.env_name),
        cache_folder=inputs.cache_folder / "seen",
        progress=inputs.progress,
    )
    measured: Any = inputs.domain.fit_scorer(seen)
    return seen, observer, replace(measured, dynamics=observer.motion.dynamics)


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
        f"{option}={name}: {lacks}; train one with `dfplan train task=keypoints env={env_name}` and give "
        f"{option}=<its run folder>"
    )
