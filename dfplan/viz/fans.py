"""A picture of a forecast: what was, and fans of what may come, one panel a series."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from dfplan.viz.figures import save

MOST_PANELS = 9
BANDS = ((0.05, 0.95, 0.2), (0.25, 0.75, 0.35))  # quantiles, and how strong they are drawn
COLOR, TRUTH = "#0072B2", "#D55E00"


def draw_fans(history: np.ndarray, futures: np.ndarray, *, truth: np.ndarray, names: Sequence[str], path: Path) -> Path:
    """Draw the last rows of a history and the quantiles of its futures.

    Args:
        history: ``(rows, dim)``.
        futures: ``(futures, steps, dim)``.
        truth: ``(steps, dim)`` what came, or of no rows.
        names: of the series, ``dim`` of them; the first nine are drawn.
        path: where to.

    Returns:
        ``path``.
    """
    shown = min(len(names), MOST_PANELS)
    columns = min(shown, 3)
    rows = -(-shown // columns)
    figure = Figure(figsize=(4.2 * columns, 0.6 + 2.6 * rows), layout="constrained", dpi=110)
    panels = np.ravel(figure.subplots(rows, columns, squeeze=False))
    steps = futures.shape[1]
    past = history[-2 * steps :]
    before, after = np.arange(1 - len(past), 1), np.arange(steps + 1)
    joined = np.concatenate([np.broadcast_to(history[-1], (len(futures), 1, history.shape[1])), futures], axis=1)
    for index, panel in enumerate(panels):
        if index >= shown:
            panel.set_visible(False)
            continue
        panel.plot(before, past[:, index], color="black", linewidth=1, label="seen")
        for low, high, alpha in BANDS:
            edges = np.quantile(joined[..., index], [low, high], axis=0)
            label = f"{low:.0%} to {high:.0%} of futures"
            panel.fill_between(after, *edges, color=COLOR, alpha=alpha, linewidth=0, label=label)
        panel.plot(after, np.median(joined[..., index], axis=0), color=COLOR, linewidth=1.2, label="median")
        if len(truth):
            came = np.concatenate([history[-1:, index], truth[:, index]])
            panel.plot(after, came, color=TRUTH, linewidth=1, label="what came")
        panel.set(title=names[index], xlabel="row, 0 is the last one seen")
        panel.grid(alpha=0.3)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), fontsize="small")
    return save(figure, path)
