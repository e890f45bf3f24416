"""A picture of episodes in any environment: what they earned over time, and what was observed in the first one."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from dfplan.files import written_whole

MOST_LINES = 10  # of observations that are drawn; there are no more colours


def draw_episodes(rewards: Sequence[np.ndarray], observations: Sequence[np.ndarray], *, path: Path, title: str) -> Path:
    """Draw returns so far against steps, and the first numbers of the observations of the first episode.

    Args:
        rewards: an array ``(steps,)`` an episode.
        observations: an array ``(steps + 1, observation_dim)`` an episode.
        path: where to.
        title: above the picture.

    Returns:
        ``path``.
    """
    figure = Figure(figsize=(11, 4), layout="constrained", dpi=110)
    earned, observed = figure.subplots(1, 2)
    for each in rewards:
        earned.plot(np.cumsum(each), color="#0072B2", alpha=0.4, linewidth=1)
    earned.set(xlabel="step", ylabel="return so far", title=f"{len(rewards)} episodes")
    shown = observations[0][:, :MOST_LINES]
    observed.plot(shown, linewidth=1, label=[str(number) for number in range(shown.shape[1])])
    observed.legend(title="number", fontsize="small", loc="upper left")
    observed.set(xlabel="step", ylabel="observation", title="first episode")
    for axis in (earned, observed):
        axis.grid(alpha=0.3)
    figure.suptitle(title)
    with written_whole(path) as temporary:
        figure.savefig(temporary)
    return path
