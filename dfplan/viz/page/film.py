"""Frames as an mp4 that every browser plays, by imageio-ffmpeg, which brings its own ffmpeg."""

import importlib.util
import io
import itertools
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.image import imsave

SECONDS = 6.0  # of a film
FRAMES_A_SECOND = 16
MOST_FRAMES = int(SECONDS * FRAMES_A_SECOND)
WIDTH = 360  # pixels, at most
MOST_KILOBITS = 500  # a second, so that no film is larger than 0.4 MB


@dataclass(frozen=True)
class Film:
    """A moving picture.

    Attributes:
        video: mp4.
        poster: its first frame, as JPEG.
    """

    video: bytes
    poster: bytes


def can_film() -> bool:
    """Whether imageio-ffmpeg is installed."""
    return importlib.util.find_spec("imageio_ffmpeg") is not None


def encode(frames: Iterable[np.ndarray]) -> Film:
    """Frames ``(height, width, 3)`` uint8, all of one size, as H.264 in an mp4.

    Raises:
        ImportError: there is no imageio-ffmpeg.
        OSError: ffmpeg does not run.
    """
    from imageio_ffmpeg import write_frames  # large, and not always there

    waiting = iter(frames)
    first = next(waiting)
    height, width = (each - each % 2 for each in first.shape[:2])
    how = ["-preset", "veryfast", "-crf", "28", "-maxrate", f"{MOST_KILOBITS}k", "-bufsize", f"{MOST_KILOBITS}k"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        writer = write_frames(
            str(path),
            (width, height),
            fps=FRAMES_A_SECOND,
            quality=None,  # type: ignore[arg-type]  # which it takes, and then adds no scale of its own
            macro_block_size=2,
            ffmpeg_log_level="error",
            output_params=[*how, "-vf", f"scale='min({WIDTH},iw)':-2", "-movflags", "+faststart"],
        )
        try:
            writer.send(None)
            for frame in itertools.chain([first], waiting):
                writer.send(np.ascontiguousarray(frame[:height, :width]))
        finally:
            writer.close()
        return Film(path.read_bytes(), _poster(first))


def _poster(frame: np.ndarray) -> bytes:
    every, written = max(1, frame.shape[1] // WIDTH), io.BytesIO()
    imsave(written, np.ascontiguousarray(frame[::every, ::every]), format="jpg")
    return written.getvalue()
