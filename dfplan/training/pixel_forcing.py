"""The Diffusion Forcing task on what was seen in frames: the tokenizer travels with the weights."""

from pathlib import Path
from typing import Any

from dfplan.models.bundle import load_bundle, save_bundle
from dfplan.models.tokenizers.observer import TOKENIZER_FOLDER, FrameObserver
from dfplan.training.forcing import ForcingTask


class PixelForcingTask(ForcingTask):
    """A :class:`ForcingTask` whose exported bundle can see.

    Args:
        observer: what the data were seen with.
        rest: arguments of :class:`ForcingTask`.
    """

    def __init__(self, *, observer: FrameObserver, **rest: Any) -> None:
        super().__init__(**rest)
        self.metadata["frames"] = observer.description()
        self._tokenizer = load_bundle(observer.folder)

    def export(self, folder: Path) -> None:
        """Write the bundle of the planner, with that of the tokenizer inside."""
        save_bundle(folder / TOKENIZER_FOLDER, *self._tokenizer)
        super().export(folder)
