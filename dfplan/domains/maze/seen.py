"""Data as they are seen: where the agent is found in frames of the recorded states, and how fast it moves by that."""

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dfplan.domains.frames_settings import FramesSettings

if TYPE_CHECKING:
    from dfplan.domain import Domain
    from dfplan.domains.maze.motion import MotionFilter
    from dfplan.domains.maze.state_estimator import StateEstimator
    from dfplan.types import Trajectories


def see(
    shown: "Trajectories",
    frames: FramesSettings,
    *,
    domain: "Domain",
    folder: Path,
    cache_folder: Path,
    progress: Callable[[str], AbstractContextManager[Callable[[int, int], None]]],
) -> "tuple[Trajectories, StateEstimator]":
    """Recorded states as a state estimator sees them, and the estimator.

    Args:
        shown: recorded states.
        frames: how frames are looked at.
        domain: shows frames.
        folder: of the bundle of a keypoint tokenizer.
        cache_folder: for what was seen.
        progress: makes a progress bar of a description.

    Raises:
        UserError: the tokenizer is missing, damaged, or does not say where the agent is.
    """
    import torch

    from dfplan.domains.maze.motion import follow_trajectories
    from dfplan.domains.maze.state_estimator import StateEstimator, load_keypoints
    from dfplan.models.sight import open_sight

    tokenizer, pictures = load_keypoints(folder), domain.show(shown)
    with progress("frames looked at") as show:
        sight = open_sight(folder, pictures, stack=1, stride=1)
        seen = sight.look(pictures, cache_folder=cache_folder, on_progress=show).observations
    positions = tokenizer.to_places(torch.as_tensor(sight.normalized(seen))).numpy()
    motion = fit_motion(shown, positions, frames)
    return follow_trajectories(shown, positions, motion=motion), StateEstimator(tokenizer, folder=folder, motion=motion)


def fit_motion(shown: "Trajectories", positions: np.ndarray, frames: FramesSettings) -> "MotionFilter":
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
