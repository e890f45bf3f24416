"""The Diffusion Forcing task on what was seen in frames: the tokenizer travels with the weights."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dfplan.models.tokenizers import TOKENIZER_FOLDER
from dfplan.training.forcing import ForcingTask


class PixelForcingTask(ForcingTask):
    """A :class:`ForcingTask` whose exported bundle can see.

    Args:
        write_tokenizer: writes the bundle of what the frames of the data were looked at with into a folder.
        frames: how they were looked at, where the tokenizer alone does not say it:
            :meth:`dfplan.domains.maze.observer.FrameObserver.description`.
        rest: arguments of :class:`ForcingTask`.
    """

    def __init__(
        self, *, write_tokenizer: Callable[[Path], None], frames: Mapping[str, Any] | None = None, **rest: Any
    ) -> None:
        super().__init__(**rest)
        self._write_tokenizer = write_tokenizer
        if frames is not None:
            self.metadata["frames"] = dict(frames)

    def export(self, folder: Path) -> None:
        """Write the bundle of the planner, with that of the tokenizer inside."""
        self._write_tokenizer(folder / TOKENIZER_FOLDER)
        super().export(folder)
