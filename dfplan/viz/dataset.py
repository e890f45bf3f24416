"""A picture of a data set: what is observed and done over time, how long episodes are and what they earn."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dfplan.data.inspection.summary import episode_returns
from dfplan.errors import counted
from dfplan.types import Trajectories
from dfplan.viz.figures import save

NUM_EPISODES, NUM_DIMENSIONS, NUM_ROWS = 5, 6, 2000
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00")


def draw_dataset(data: Trajectories, *, path: Path) -> Path:
    """Draw observations of a few episodes over time, their actions, and histograms of lengths and returns."""
    varying = np.flatnonzero(~data.constant_dimensions())[:NUM_DIMENSIONS]
    panels = [*((data.observations, each, data.observation_names, "observation") for each in varying.tolist())]
    panels += [
        (data.actions, each, data.action_names, "action") for each in range(min(data.actions.shape[1], NUM_DIMENSIONS))
    ]
    columns = 3
    lines = -(-len(panels) // columns) + 1
    figure = Figure(figsize=(13, 2.3 * lines), layout="constrained", dpi=100)
    axes = figure.subplots(lines, columns, squeeze=False).ravel()
    chosen = np.unique(np.linspace(0, len(data.starts) - 2, NUM_EPISODES).astype(int))
    for axis, (table, dimension, names, of) in zip(axes, panels, strict=False):
        _over_time(axis, data, table[:, dimension], chosen)
        axis.set_title(names[dimension] if names else f"{of} {dimension}", fontsize=9)
    for axis in axes[len(panels) : -columns]:
        axis.set_axis_off()
    lengths = np.diff(data.starts) - (not data.last_actions)
    _histogram(axes[-3], lengths, "steps of an episode")
    _histogram(axes[-2], episode_returns(data), "sum of rewards of an episode", there=data.rewards is not None)
    _scatter(axes[-1], lengths, data)
    if panels:
        axes[0].legend(fontsize=7, title="episode", title_fontsize=7)
    figure.suptitle(
        f"{data.source[-90:]}: {counted(len(data), 'row')} in {counted(len(data.starts) - 1, 'episode')}", fontsize=10
    )
    return save(figure, path)


def _over_time(axis: Axes, data: Trajectories, values: np.ndarray, chosen: np.ndarray) -> None:
    """One dimension in the chosen episodes, by seconds where these are known."""
    for color, number in zip(COLORS, chosen.tolist(), strict=False):
        rows = np.arange(int(data.starts[number]), int(data.starts[number + 1]))[:NUM_ROWS]
        time = (rows - rows[0]) * (data.step_seconds or 1)
        axis.plot(time, values[rows], color=color, linewidth=0.8, label=str(number))
    axis.set_xlabel("seconds" if data.step_seconds else "row of the episode", fontsize=8)
    axis.tick_params(labelsize=7)
    axis.grid(alpha=0.3)


def _histogram(axis: Axes, values: np.ndarray, name: str, *, there: bool = True) -> None:
    if there:
        axis.hist(values, bins=min(30, max(1, len(np.unique(values)))), color=COLORS[0])
    else:
        axis.text(0.5, 0.5, "no rewards recorded", ha="center", transform=axis.transAxes, fontsize=9)
    axis.set_xlabel(name, fontsize=8)
    axis.set_ylabel("episodes", fontsize=8)
    axis.tick_params(labelsize=7)


def _scatter(axis: Axes, lengths: np.ndarray, data: Trajectories) -> None:
    """Returns against lengths, or without rewards the first two observed dimensions of all episodes."""
    if data.rewards is not None:
        axis.plot(lengths, episode_returns(data), ".", color=COLORS[1], markersize=4)
        names = ("steps of an episode", "sum of its rewards")
    else:
        rows = data.observations[:: max(1, len(data) // 5000)]
        first, second = (rows[:, 0], rows[:, min(1, rows.shape[1] - 1)]) if rows.shape[1] else (rows, rows)
        axis.plot(first, second, ",", color=COLORS[1])
        names = ("first observed number", "second")
    axis.set_xlabel(names[0], fontsize=8)
    axis.set_ylabel(names[1], fontsize=8)
    axis.tick_params(labelsize=7)
