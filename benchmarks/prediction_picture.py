"""Frames of one drive, real and as models predict them, and what was measured of them over time, as one picture."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from dfplan.files import written_whole

COLORS = {
    "forcing": "#0072B2",
    "next-token": "#D55E00",
    "full-sequence": "#009E73",
    "planner": "#56B4E9",
}  # Okabe and Ito
MEASURES = (
    ("frechet", "Fréchet distance to the real frames"),
    ("position_error", "median distance from the real position"),
    ("pixel_error", "mean squared error of pixels"),
)


def draw(record: Mapping[str, Any], strips: Mapping[str, np.ndarray], *, times: tuple[float, ...], path: Path) -> None:
    """Above, frames of one drive, real and as each model predicts them; below, the measures over time.

    Args:
        record: see `run.py`.
        strips: frames ``(shown, height, width, 3)`` of every row of the strip.
        times: when, in training lengths.
        path: of the picture.
    """
    figure = Figure(figsize=(1.5 * len(times), 1.55 * len(strips) + 3.4), layout="constrained", dpi=110)
    parts: Any = figure.subfigures(2, 1, height_ratios=(1.55 * len(strips), 3.4))
    above, below = parts
    axes = above.subplots(len(strips), len(times), squeeze=False)
    for line, (name, frames) in enumerate(strips.items()):
        for column, frame in enumerate(frames):
            axis = axes[line, column]
            axis.imshow(frame, interpolation="nearest")
            axis.set(xticks=[], yticks=[])
            if not line:
                axis.set_title(f"{times[column]:g} ×", fontsize=9)
        axes[line, 0].set_ylabel(name, fontsize=9)
    for axis, (measure, meaning) in zip(below.subplots(1, len(MEASURES)), MEASURES, strict=True):
        for each in record["rows"]:
            points = [(part["times"], part[measure]) for part in each["lengths"]]
            axis.plot(
                *zip(*points, strict=True), "o-", color=COLORS[each["method"]], label=each["method"], markersize=4
            )
        if measure == "frechet":
            points = [(part["times"], part["other_drives"]) for part in record["floor"]]
            axis.plot(*zip(*points, strict=True), "--", color="#6B7280", label="other real drives")
            axis.legend(fontsize=8)
        axis.set(title=meaning, xlabel="time in training lengths", yscale="log")
        axis.title.set_fontsize(9)
        axis.grid(alpha=0.3)
    with written_whole(path) as temporary:
        figure.savefig(temporary, facecolor="white")
