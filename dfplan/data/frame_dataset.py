"""Pictures that a tokenizer is trained on, drawn or read when they are asked for."""

from collections.abc import Mapping

import numpy as np

from dfplan.blocks import Frames


class FrameDataset:
    """Draws rows of data and shows what a camera shows there.

    Args:
        pictures: of each camera, all of as many rows and of the same height, width and channels; of those that are
            shown together, the last is taken.
        places: ``(rows, dim)`` where what is to be found is; None where nobody knows.
    """

    def __init__(self, pictures: Mapping[str, Frames], *, places: np.ndarray | None = None) -> None:
        self.pictures, self.places = list(pictures.values()), places

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """Height, width and channels of a picture."""
        return self.pictures[0].shape[-3:]

    def sample(self, batch_size: int, generator: np.random.Generator) -> dict[str, np.ndarray]:
        """``frames`` ``(batch, height, width, channels)`` uint8, of each camera as many, and ``places`` of the rows."""
        rows = generator.integers(len(self.pictures[0]), size=batch_size)
        parts = np.array_split(rows, len(self.pictures))
        frames = [
            camera.at(part).reshape(len(part), -1, *self.frame_shape)[:, -1]
            for camera, part in zip(self.pictures, parts, strict=True)
        ]
        found = {"frames": np.concatenate(frames)}
        return found if self.places is None else found | {"places": self.places[rows]}
