"""A picture of episodes of PushT: where the T was when most of the target was covered, and which way the disc took."""

from collections.abc import Sequence
from pathlib import Path

import dfplan.viz  # noqa: F401  # isort: skip  (first: it sees to a notebook's backend)
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon

from dfplan.domains.pusht_scene import SIDE, TARGET, TARGET_ANGLE, corners
from dfplan.files import written_whole

MOST_SHOWN, COLUMNS = 12, 4
GREEN, GREY, BLUE = "#009E73", "#444444", "#0072B2"


def draw_scenes(scenes: Sequence[np.ndarray], covered: Sequence[np.ndarray], *, path: Path, title: str) -> Path:
    """Draw the first episodes.

    Args:
        scenes: disc and corners ``(steps + 1, 9)`` of each episode.
        covered: shares of the target ``(steps + 1,)`` likewise.
        path: where to.
        title: above the picture.

    Returns:
        ``path``.
    """
    shown = min(len(scenes), MOST_SHOWN)
    rows = -(-shown // COLUMNS)
    figure = Figure(figsize=(2.6 * COLUMNS, 2.8 * rows), layout="constrained", dpi=110)
    axes = figure.subplots(rows, COLUMNS, squeeze=False).reshape(-1)
    for axis, scene, share in zip(axes, scenes, covered, strict=False):
        best = int(np.argmax(share))
        _draw_t(axis, corners(np.array(TARGET), np.array(TARGET_ANGLE)), color=GREEN, alpha=0.35)
        _draw_t(axis, scene[0, 1:], color=GREY, alpha=0.2)
        _draw_t(axis, scene[best, 1:], color=GREY, alpha=0.7)
        axis.plot(np.real(scene[: best + 1, 0]), np.imag(scene[: best + 1, 0]), color=BLUE, linewidth=0.8)
        axis.set_title(f"{100 * share[best]:.0f} % at step {best}", fontsize="small")
    for axis in axes:
        axis.set(xlim=(0, SIDE), ylim=(SIDE, 0), aspect="equal", xticks=[], yticks=[])
    for axis in axes[shown:]:
        axis.set_axis_off()
    figure.suptitle(f"{title}\ngreen: target; grey: T at first, and at its best; blue: way of the disc until then")
    with written_whole(path) as temporary:
        figure.savefig(temporary)
    return path


def _draw_t(axis: Axes, found: np.ndarray, **how: float | str) -> None:
    for part in (found[:4], found[4:]):
        axis.add_patch(Polygon(np.stack([np.real(part), np.imag(part)], axis=1), linewidth=0, **how))  # type: ignore[arg-type]
