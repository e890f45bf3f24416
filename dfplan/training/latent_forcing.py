"""The Diffusion Forcing task on latents of frames: the tokenizer travels with the weights."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dfplan.models.tokenizers import FrameTokenizer, save_tokenizer
from dfplan.models.tokenizers.observer import TOKENIZER_FOLDER
from dfplan.training.forcing import ForcingTask


class LatentForcingTask(ForcingTask):
    """A :class:`ForcingTask` whose observations are latents.

    Args:
        tokenizer: what the frames of the data were encoded with.
        description: its name and sizes, as :func:`~dfplan.models.tokenizers.build_tokenizer` takes them.
        rest: arguments of :class:`ForcingTask`.
    """

    def __init__(self, *, tokenizer: FrameTokenizer, description: Mapping[str, Any], **rest: Any) -> None:
        super().__init__(**rest)
        self._tokenizer, self._description = tokenizer, dict(description)

    def export(self, folder: Path) -> None:
        """Write the bundle of the planner, with that of the tokenizer inside."""
        metadata = {"env": self.metadata["env"], "tokenizer": self._description}
        save_tokenizer(folder / TOKENIZER_FOLDER, self._tokenizer, metadata)
        super().export(folder)
