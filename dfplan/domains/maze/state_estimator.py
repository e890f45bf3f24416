"""What a planner is told of frames: the position that a keypoint tokenizer finds, and how fast it moves."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dfplan.domains.maze.motion import MotionFilter, read_motion
from dfplan.errors import UserError
from dfplan.models.bundle import bundle_checksum
from dfplan.models.tokenizers.bundle import TOKENIZER_FOLDER, load_tokenizer
from dfplan.models.tokenizers.keypoints import KeypointTokenizer


@dataclass(frozen=True)
class StateEstimator:
    """Turns frames into observations ``[position, speed]``.

    Attributes:
        tokenizer: frozen; says where the agent is.
        folder: where the tokenizer was loaded from.
        motion: says how fast it moves.
    """

    tokenizer: KeypointTokenizer
    folder: Path
    motion: MotionFilter

    tells_places = True
    place_dim = 2

    def places(self, frames: np.ndarray) -> np.ndarray:
        """Positions ``(n, 2)`` float32, in the units of the environment, in frames ``(n, height, width, 3)`` uint8."""
        return self.tokenizer.find(frames)

    def frames(self, positions: np.ndarray) -> np.ndarray:
        """Frames ``(n, height, width, 3)`` uint8 as the decoder draws them, of positions ``(n, 2)``."""
        return self.tokenizer.draw(positions)

    def begin(self, shown: np.ndarray) -> np.ndarray:
        """Observations ``(batch, 4)`` of an episode's beginning, from where the agent is seen to stand."""
        return self.motion.begin(self.places(shown))

    def follow(self, memory: np.ndarray, *, actions: np.ndarray, fresh: np.ndarray) -> np.ndarray:
        """Observations ``(batch, 4)`` one step later: see :meth:`MotionFilter.follow`."""
        return self.motion.follow(memory, actions=actions, positions=fresh[:, : self.place_dim])

    def told(self, memory: np.ndarray) -> np.ndarray:
        """The same in single precision: all that is remembered is observed."""
        return memory.astype(np.float32)

    def goals(self, told: np.ndarray) -> np.ndarray:
        """Positions ``(batch, 2)`` of positions, or of pictures of the agent there ``(batch, height, width, 3)``.

        Raises:
            UserError: they are neither.
        """
        if told.ndim not in (2, 4):
            raise UserError(
                "goals are positions (batch, 2) or pictures (batch, height, width, 3); "
                f"got an array of shape {told.shape}"
            )
        return told if told.ndim == 2 else self.places(told)

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


def load_keypoints(folder: Path) -> KeypointTokenizer:
    """Load the tokenizer of a folder for weights that were trained on where it says that the agent is.

    Raises:
        UserError: there is none, or it finds no points in frames.
    """
    tokenizer, metadata = load_tokenizer(folder)
    if not isinstance(tokenizer, KeypointTokenizer):
        raise UserError(
            f"{folder} holds a tokenizer of kind {metadata['tokenizer']['name']}, which does not say where the agent "
            "is, and the weights plan with places; give one of kind keypoints (`dfplan train task=keypoints`)"
        )
    return tokenizer


def load_estimator(weights: Path, description: Mapping[str, Any]) -> StateEstimator:
    """The estimator that a planner was trained with, from the planner's bundle.

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
    estimator = StateEstimator(load_keypoints(folder), folder=folder, motion=motion)
    if bundle_checksum(folder) != wanted:
        raise UserError(f"{folder} is not the tokenizer that {weights} was trained with; copy the whole folder again")
    return estimator
