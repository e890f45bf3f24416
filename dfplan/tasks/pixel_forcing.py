"""The planner that sees: Diffusion Forcing on positions and speeds found in frames by a frozen tokenizer."""

import math
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from dfplan.errors import UserError
from dfplan.files import user_path
from dfplan.options import group, option
from dfplan.tasks import forcing
from dfplan.tasks.inputs import Inputs
from dfplan.types import PointMass

if TYPE_CHECKING:
    import numpy as np

    from dfplan.domains.maze.motion import MotionFilter
    from dfplan.domains.maze.observer import FrameObserver
    from dfplan.training.forcing import ForcingTask
    from dfplan.training.task import Dataset
    from dfplan.types import Trajectories


@dataclass
class FramesSettings:
    """How frames are looked at."""

    tokenizer: str = option("bundled, or a folder: of a keypoint tokenizer or of the run that trained it")
    position_gain: float = option("share of a surprise that corrects the position (alpha)", above=0, high=1)
    speed_gain: float = option("share of a surprise that corrects the speed (beta)", above=0, high=1)
    step_seconds: float = option("time from frame to frame", above=0)
    max_rows: int = option("rows of the data whose frames are looked at, from its beginning", low=1000)


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
    seen, observer = see(inputs, settings.frames)
    tensors, metadata = load_bundle(observer.folder)
    write_tokenizer = partial(save_bundle, tensors=tensors, metadata=metadata)
    make = partial(PixelForcingTask, write_tokenizer=write_tokenizer, frames=observer.description())
    return forcing.build_training(
        settings, replace(inputs, loaded=seen), make=make, point_mass=observer.motion.point_mass
    )


def see(inputs: Inputs, frames: FramesSettings) -> "tuple[Trajectories, FrameObserver]":
    """The first rows of the data as an observer sees them, and the observer.

    Where the agent was seen is kept in the cache: it never changes.

    Raises:
        UserError: there is no tokenizer.
    """
    from dfplan.data.split import first_rows
    from dfplan.domains.maze.frames import load_camera
    from dfplan.domains.maze.motion import follow_trajectories
    from dfplan.domains.maze.observer import FrameObserver, cached_positions, load_keypoints
    from dfplan.models.bundle import bundle_checksum

    folder = find_tokenizer(frames.tokenizer, env_name=inputs.env_name)
    tokenizer, camera = load_keypoints(folder), load_camera(inputs.env_id)
    shown = first_rows(inputs.trajectories, frames.max_rows)
    with inputs.progress("frames looked at") as show:
        positions = cached_positions(
            inputs.cache_folder / "seen" / f"{inputs.env_name}-{bundle_checksum(folder)[:16]}.safetensors",
            shown,
            tokenizer=tokenizer,
            render=camera.render,
            on_progress=show,
        )
    motion = fit_motion(shown, positions, frames)
    return follow_trajectories(shown, positions, motion=motion), FrameObserver(tokenizer, folder=folder, motion=motion)


def fit_motion(shown: "Trajectories", positions: "np.ndarray", frames: FramesSettings) -> "MotionFilter":
    """How the agent moves, from where it was seen ``(rows, 2)`` and what it did; nothing else of ``shown`` is used.

    Speeds from frame to frame are noisy, and noise makes it look as if speed did not last. What a filter with that
    point mass says of the speed is less so, and is fitted again; twice is as good as more often.
    """
    from dfplan.domains.maze.dynamics import fit_point_mass
    from dfplan.domains.maze.motion import MotionFilter, follow_trajectories

    gains = {"position_gain": frames.position_gain, "speed_gain": frames.speed_gain}
    # With all weight on what is seen, a filter says the difference from the frame before, whatever its point mass.
    motion = MotionFilter(
        PointMass(decay=1.0, gain=1.0, step=frames.step_seconds, max_speed=math.inf), position_gain=1.0, speed_gain=1.0
    )
    for _ in range(3):
        told = follow_trajectories(shown, positions, motion=motion)
        motion = MotionFilter(replace(fit_point_mass(told), step=frames.step_seconds), **gains)
    return motion


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
