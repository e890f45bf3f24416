"""What a planner is told of frames: the position that a keypoint tokenizer finds, and its change over a few frames."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
import torch
from safetensors import SafetensorError

from dfplan.errors import UserError
from dfplan.files import write_whole
from dfplan.models.bundle import bundle_checksum
from dfplan.models.description import positive
from dfplan.models.tokenizers.bundle import load_tokenizer
from dfplan.models.tokenizers.keypoints import KeypointTokenizer
from dfplan.types import Trajectories

TOKENIZER_FOLDER = "tokenizer"  # inside the bundle of a planner that sees
MAX_SPEED_FRAMES = 64
CHUNK = 4096


@dataclass(frozen=True)
class FrameObserver:
    """Turns frames into observations ``[position, speed]``; one frame has no speed in it, a few have.

    Attributes:
        tokenizer: frozen.
        folder: where the tokenizer was loaded from.
        speed_frames: over how many frames the speed is taken: the position now less that of so many frames ago. More
            frames average the errors of the positions out, and say later how fast the agent is.
        step_seconds: time from frame to frame.
    """

    tokenizer: KeypointTokenizer
    folder: Path
    speed_frames: int
    step_seconds: float

    def positions(self, frames: np.ndarray) -> np.ndarray:
        """Positions ``(n, 2)`` float32, in the units of the environment, in frames ``(n, height, width, 3)`` uint8."""
        device = self.tokenizer.background.device
        latents = self.tokenizer.encode(torch.as_tensor(np.asarray(frames), device=device))
        return self.tokenizer.to_positions(latents).cpu().numpy()

    def frames(self, positions: np.ndarray) -> np.ndarray:
        """Frames ``(n, height, width, 3)`` uint8 as the decoder draws them, of positions ``(n, 2)``."""
        device = self.tokenizer.background.device
        latents = self.tokenizer.from_positions(torch.as_tensor(positions, dtype=torch.float32, device=device))
        return self.tokenizer.decode(latents).cpu().numpy()

    def observations(self, history: np.ndarray) -> np.ndarray:
        """Observations ``(batch, 4)`` from the last positions ``(frames, batch, 2)``, oldest first.

        As many of them count as ``speed_frames`` says, fewer where there are fewer; one alone gives no speed: 0.
        """
        span = min(self.speed_frames, len(history) - 1)
        moved = history[-1] - history[len(history) - 1 - span]
        speed = moved / (span * self.step_seconds) if span else np.zeros_like(moved)
        return np.concatenate([history[-1], speed], axis=1).astype(np.float32)

    def description(self) -> dict[str, Any]:
        """What a planner's bundle says of it."""
        return {
            "speed_frames": self.speed_frames,
            "step_seconds": self.step_seconds,
            "tokenizer_sha256": bundle_checksum(self.folder),
        }


def see_positions(
    trajectories: Trajectories,
    *,
    observer: FrameObserver,
    render: Callable[[np.ndarray], np.ndarray],
    on_progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Positions ``(rows, 2)`` as seen: of every recorded state only its frame is looked at.

    Args:
        trajectories: recorded states, whose first two dimensions are the position.
        observer: looks.
        render: frames of positions ``(n, 2)``.
        on_progress: called as ``on_progress(frames_done, frames)``.
    """
    rows, found = len(trajectories), []
    for first in range(0, rows, CHUNK):
        found.append(observer.positions(render(trajectories.observations[first : first + CHUNK, :2])))
        if on_progress is not None:
            on_progress(min(first + CHUNK, rows), rows)
    return np.concatenate(found)


def cached_positions(path: Path, trajectories: Trajectories, **looking: Any) -> np.ndarray:
    """What :func:`see_positions` finds, from a file if the same rows were looked at before, else kept there.

    Args:
        path: a file for one tokenizer and camera.
        trajectories: see :func:`see_positions`.
        looking: the other arguments of it.
    """
    key = hashlib.sha256(trajectories.observations[:, :2].tobytes()).hexdigest()
    if path.is_file():
        try:
            stored = safetensors.numpy.load_file(path)
        except (OSError, SafetensorError):
            stored = {}  # a cache: it is made again
        if key in stored and stored[key].shape == (len(trajectories), 2):
            return stored[key]
    positions = see_positions(trajectories, **looking)
    write_whole(path, safetensors.numpy.save({key: positions}))
    return positions


def with_speeds(
    trajectories: Trajectories, positions: np.ndarray, *, speed_frames: int, step_seconds: float
) -> Trajectories:
    """Trajectories whose observations are the given positions ``(rows, 2)`` and their speeds over ``speed_frames``."""
    rows = np.arange(len(positions))
    first = np.repeat(trajectories.starts[:-1], np.diff(trajectories.starts))
    span = np.minimum(rows - first, speed_frames)
    moved = positions - positions[rows - span]
    speeds = moved / (np.maximum(span, 1)[:, None] * step_seconds)
    observations = np.concatenate([positions, speeds], axis=1).astype(np.float32)
    return replace(trajectories, observations=observations, source=f"{trajectories.source}, seen")


def build_observer(folder: Path, *, speed_frames: int, step_seconds: float) -> FrameObserver:
    """Load the tokenizer of a folder for an observer.

    Raises:
        UserError: there is none, or it finds no points in frames.
    """
    tokenizer, metadata = load_tokenizer(folder)
    if not isinstance(tokenizer, KeypointTokenizer):
        raise UserError(
            f"{folder} holds a tokenizer of kind {metadata['tokenizer']['name']}, which does not say where the agent "
            "is; a planner needs one of kind keypoints (`dfplan train task=keypoints`)"
        )
    return FrameObserver(tokenizer, folder=folder, speed_frames=speed_frames, step_seconds=step_seconds)


def load_observer(weights: Path, description: Mapping[str, Any]) -> FrameObserver:
    """The observer that a planner was trained with, from the planner's bundle.

    Args:
        weights: folder of the planner's bundle.
        description: ``metadata["frames"]`` of it.

    Raises:
        UserError: the tokenizer is missing, damaged or another one, or the description makes no sense.
    """
    folder = weights / TOKENIZER_FOLDER
    try:
        speed_frames, step_seconds = description["speed_frames"], positive("step_seconds", description["step_seconds"])
        if type(speed_frames) is not int or not 1 <= speed_frames <= MAX_SPEED_FRAMES:
            raise ValueError(
                f"speed_frames must be a whole number from 1 to {MAX_SPEED_FRAMES}; got {speed_frames!r:.40}"
            )
        wanted = description["tokenizer_sha256"]
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{weights} does not say how it sees frames ({error}); train it again") from error
    observer = build_observer(folder, speed_frames=speed_frames, step_seconds=step_seconds)
    if bundle_checksum(folder) != wanted:
        raise UserError(f"{folder} is not the tokenizer that {weights} was trained with; copy the whole folder again")
    return observer
