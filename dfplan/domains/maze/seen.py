"""Data as they are seen: where the agent is found in frames of the recorded states, and how fast it moves by that."""

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dfplan.options import option

if TYPE_CHECKING:
    import numpy as np

    from dfplan.domains.maze.motion import MotionFilter
    from dfplan.domains.maze.observer import FrameObserver
    from dfplan.types import Trajectories


@dataclass
class FramesSettings:
    """How frames are looked at."""

    tokenizer: str = option("bundled, or a folder: of a keypoint tokenizer or of the run that trained it")
    position_gain: float = option("share of a surprise that corrects the position (alpha)", above=0, high=1)
    speed_gain: float = option("share of a surprise that corrects the speed (beta)", above=0, high=1)
    step_seconds: float = option("time from frame to frame", above=0)
    max_rows: int = option("rows of the data whose frames are looked at, from its beginning", low=1000)


def see(
    shown: "Trajectories",
    frames: FramesSettings,
    *,
    env_id: str,
    folder: Path,
    cache_folder: Path,
    progress: Callable[[str], AbstractContextManager[Callable[[int, int], None]]],
) -> "tuple[Trajectories, FrameObserver]":
    """Recorded states as an observer sees them, and the observer.

    Where the agent was seen is kept in the cache: it never changes.

    Args:
        shown: recorded states.
        frames: how frames are looked at.
        env_id: of an environment with a camera.
        folder: of the tokenizer's bundle.
        cache_folder: for what was seen.
        progress: makes a progress bar of a description.

    Raises:
        UserError: the tokenizer is missing, damaged, or does not say where the agent is.
    """
    from dfplan.domains.maze.frames import load_camera
    from dfplan.domains.maze.motion import follow_trajectories
    from dfplan.domains.maze.observer import FrameObserver, cached_places, load_keypoints
    from dfplan.models.bundle import bundle_checksum

    tokenizer, camera = load_keypoints(folder), load_camera(env_id)
    with progress("frames looked at") as show:
        positions = cached_places(
            cache_folder / f"{env_id}-{bundle_checksum(folder)[:16]}.safetensors",
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
    from dfplan.domains.maze.dynamics import fit_dynamics
    from dfplan.domains.maze.motion import MotionFilter, follow_trajectories
    from dfplan.types import DoubleIntegrator

    gains = {"position_gain": frames.position_gain, "speed_gain": frames.speed_gain}
    # With all weight on what is seen, a filter says the difference from the frame before, whatever its point mass.
    mass = DoubleIntegrator(decay=1.0, gain=1.0, step=frames.step_seconds, max_speed=math.inf)
    motion = MotionFilter(mass, position_gain=1.0, speed_gain=1.0)
    for _ in range(3):
        told = follow_trajectories(shown, positions, motion=motion)
        motion = MotionFilter(replace(fit_dynamics(told), step=frames.step_seconds), **gains)
    return motion
