"""What a planner is told of frames: the position that a keypoint tokenizer finds, and how fast it moves."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

from dfplan.domains.maze.motion import MotionFilter, read_motion
from dfplan.errors import UserError
from dfplan.files import write_whole
from dfplan.models.bundle import bundle_checksum
from dfplan.models.tokenizers.bundle import TOKENIZER_FOLDER, load_tokenizer
from dfplan.models.tokenizers.keypoints import KeypointTokenizer
from dfplan.types import Trajectories

CHUNK = 4096


@dataclass(frozen=True)
class FrameObserver:
    """Turns frames into observations ``[position, speed]``.

    Attributes:
        tokenizer: frozen; says where the agent is.
        folder: where the tokenizer was loaded from.
        motion: says how fast it moves.
    """

    tokenizer: KeypointTokenizer
    folder: Path
    motion: MotionFilter

    def places(self, frames: np.ndarray) -> np.ndarray:
        """Positions ``(n, 2)`` float32, in the units of the environment, in frames ``(n, height, width, 3)`` uint8."""
        return self.tokenizer.find(frames)

    def frames(self, positions: np.ndarray) -> np.ndarray:
        """Frames ``(n, height, width, 3)`` uint8 as the decoder draws them, of positions ``(n, 2)``."""
        return self.tokenizer.draw(positions)

    def begin(self, positions: np.ndarray) -> np.ndarray:
        """Observations ``(batch, 4)`` of an episode's beginning, from where the agent is seen to stand."""
        return self.motion.begin(positions)

    def follow(self, observations: np.ndarray, *, actions: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Observations ``(batch, 4)`` one step later: see :meth:`MotionFilter.follow`."""
        return self.motion.follow(observations, actions=actions, positions=positions)

    def observations(self, history: np.ndarray) -> np.ndarray:
        """Observations ``(batch, 4)`` in the midst of a motion, from the last positions ``(frames, batch, 2)`` alone.

        Oldest first. Where the actions are not known, the speed is the mean over those frames; of one frame it is 0.
        """
        span = len(history) - 1
        speed = (history[-1] - history[0]) / (max(span, 1) * self.motion.dynamics.step)
        return np.concatenate([history[-1], speed], axis=1).astype(np.float32)

    def description(self) -> dict[str, Any]:
        """What a planner's bundle says of it."""
        return {"motion": self.motion.describe(), "tokenizer_sha256": bundle_checksum(self.folder)}


def see_places(
    trajectories: Trajectories,
    *,
    tokenizer: KeypointTokenizer,
    render: Callable[[np.ndarray], np.ndarray],
    on_progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Positions ``(rows, 2)`` as seen: of every recorded state only its frame is looked at.

    Args:
        trajectories: recorded states, whose first two dimensions are the position.
        tokenizer: looks.
        render: frames of positions ``(n, 2)``.
        on_progress: called as ``on_progress(frames_done, frames)``.
    """
    rows, found = len(trajectories), []
    for first in range(0, rows, CHUNK):
        found.append(tokenizer.find(render(trajectories.observations[first : first + CHUNK, :2])))
        if on_progress is not None:
            on_progress(min(first + CHUNK, rows), rows)
    return np.concatenate(found)


def cached_places(path: Path, trajectories: Trajectories, **looking: Any) -> np.ndarray:
    """What :func:`see_places` finds, from a file if the same rows were looked at before, else kept there.

    Args:
        path: a file for one tokenizer and camera.
        trajectories: see :func:`see_places`.
        looking: the other arguments of it.
    """
    key = hashlib.sha256(trajectories.observations[:, :2].tobytes()).hexdigest()
    if path.is_file():
        try:
            stored = safetensors.numpy.load(path.read_bytes())
        except (OSError, SafetensorError):
            stored = {}  # a cache: it is made again
        if key in stored and stored[key].shape == (len(trajectories), 2):
            return stored[key]
    positions = see_places(trajectories, **looking)
    write_whole(path, safetensors.numpy.save({key: positions}))
    return positions


def load_keypoints(folder: Path) -> KeypointTokenizer:
    """Load the tokenizer of a folder that is to say where the agent is.

    Raises:
        UserError: there is none, or it finds no points in frames.
    """
    tokenizer, metadata = load_tokenizer(folder)
    if not isinstance(tokenizer, KeypointTokenizer):
        raise UserError(
            f"{folder} holds a tokenizer of kind {metadata['tokenizer']['name']}, which does not say where the agent "
            "is; a planner needs one of kind keypoints (`dfplan train task=keypoints`)"
        )
    return tokenizer


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
        motion, wanted = read_motion(description["motion"]), description["tokenizer_sha256"]
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{weights} does not say how it sees frames ({error}); train it again") from error
    observer = FrameObserver(load_keypoints(folder), folder=folder, motion=motion)
    if bundle_checksum(folder) != wanted:
        raise UserError(f"{folder} is not the tokenizer that {weights} was trained with; copy the whole folder again")
    return observer
