"""The planner that sees: Diffusion Forcing on positions and speeds found in frames by a frozen tokenizer."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from dfplan.errors import UserError
from dfplan.options import group, option
from dfplan.tasks import forcing
from dfplan.tasks.inputs import Inputs

if TYPE_CHECKING:
    from dfplan.data.windows import WindowDataset
    from dfplan.models.tokenizers import FrameObserver
    from dfplan.training.forcing import ForcingTask
    from dfplan.types import Trajectories


@dataclass
class FramesSettings:
    """How frames are looked at."""

    tokenizer: str = option("bundled, or a folder: of a keypoint tokenizer or of the run that trained it")
    speed_frames: int = option("frames over which the speed is taken", low=1, high=64)
    step_seconds: float = option("time from frame to frame", above=0)
    max_rows: int = option("rows of the data whose frames are looked at, from its beginning", low=1000)


@dataclass
class Settings(forcing.Settings):
    """The options of the task: those of task=forcing, and how frames are looked at."""

    frames: FramesSettings = group(FramesSettings, "how frames are looked at")


def build(settings: Settings, inputs: Inputs) -> "tuple[ForcingTask, WindowDataset]":
    """The task and the windows it learns from.

    Raises:
        UserError: the environment has no camera, there is no tokenizer for it, or the data are too short.
    """
    from dfplan.data.maze import shows_frames
    from dfplan.models.bundle import load_bundle, save_bundle
    from dfplan.training.pixel_forcing import PixelForcingTask

    if not shows_frames(inputs.env_id):
        raise UserError(
            f"{inputs.env_name} shows states, not frames; give task=forcing, or an env= such as pixelmaze-large"
        )
    observer = build_frame_observer(settings.frames, env_name=inputs.env_name)
    seen = see(inputs, observer, max_rows=settings.frames.max_rows)
    tensors, metadata = load_bundle(observer.folder)
    write_tokenizer = partial(save_bundle, tensors=tensors, metadata=metadata)
    make = partial(PixelForcingTask, write_tokenizer=write_tokenizer, frames=observer.description())
    return forcing.build_training(settings, replace(inputs, loaded=seen), make=make)


def build_frame_observer(frames: FramesSettings, *, env_name: str) -> "FrameObserver":
    """What frames are looked at with.

    Raises:
        UserError: there is no such tokenizer.
    """
    from dfplan.models.tokenizers import build_observer

    folder = find_tokenizer(frames.tokenizer, env_name=env_name)
    return build_observer(folder, speed_frames=frames.speed_frames, step_seconds=frames.step_seconds)


def see(inputs: Inputs, observer: "FrameObserver", *, max_rows: int) -> "Trajectories":
    """The first rows of the data as the observer sees them; what it saw is kept in the cache: it never changes."""
    from dfplan.data.frames import load_camera
    from dfplan.data.split import first_rows
    from dfplan.models.bundle import bundle_checksum
    from dfplan.models.tokenizers.observer import cached_positions, with_speeds

    camera = load_camera(inputs.env_id)
    shown = first_rows(inputs.trajectories, max_rows)
    with inputs.progress("frames looked at") as show:
        positions = cached_positions(
            inputs.cache_folder / "seen" / f"{inputs.env_name}-{bundle_checksum(observer.folder)[:16]}.safetensors",
            shown,
            observer=observer,
            render=camera.render,
            on_progress=show,
        )
    return with_speeds(shown, positions, speed_frames=observer.speed_frames, step_seconds=observer.step_seconds)


def find_tokenizer(name: str, *, env_name: str) -> Path:
    """The folder of a tokenizer's bundle: the one that comes with dfplan, a bundle's own, or that of a training run.

    Raises:
        UserError: there is none.
    """
    import dfplan
    from dfplan.models.tokenizers.observer import TOKENIZER_FOLDER

    if name == "bundled":
        folder = Path(dfplan.__file__).parent / "weights" / env_name / TOKENIZER_FOLDER
        candidates, found = (folder,), f"none comes with dfplan for {env_name}"
    else:
        folder = Path(name).expanduser()
        candidates = (folder, folder / "model", folder / TOKENIZER_FOLDER)
        found = "no model.json there" if folder.exists() else "no such folder"
    for candidate in candidates:
        if (candidate / "model.json").is_file():
            return candidate
    raise UserError(
        f"frames.tokenizer={name}: {found}; train one with `dfplan train task=keypoints env={env_name}` and give "
        "frames.tokenizer=<its run folder>"
    )
