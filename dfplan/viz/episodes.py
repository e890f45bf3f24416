"""A picture of episodes in any environment: what they earned over time, and what was observed in the first one."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from dfplan.errors import counted
from dfplan.types import Plan
from dfplan.viz.figures import save

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
    earned.set(xlabel="step", ylabel="return so far", title=counted(len(rewards), "episode"))
    shown = observations[0][:, :MOST_LINES]
    observed.plot(shown, linewidth=1, label=[str(number) for number in range(shown.shape[1])])
    if shown.shape[1]:  # beside pictures, there may be no numbers
        observed.legend(title="number", fontsize="small", loc="upper left")
    observed.set(xlabel="step", ylabel="observation", title="first episode")
    return _save(figure, path=path, title=title)


def draw_planned(plan: Plan, *, path: Path, title: str) -> Path:
    """Draw what the first plan of a batch expects to observe, and its actions, against steps."""
    figure = Figure(figsize=(11, 4), layout="constrained", dpi=110)
    observed, acted = figure.subplots(1, 2)
    steps = int(plan.num_steps[0])
    shown = plan.observations[0, : steps // plan.steps_per_point, :MOST_LINES]
    numbers = [str(number) for number in range(shown.shape[1])]
    observed.plot(plan.steps_per_point * np.arange(1, len(shown) + 1), shown, linewidth=1, label=numbers)
    observed.legend(title="number", fontsize="small", loc="upper left")
    observed.set(xlabel="step", ylabel="observation", title="what the plan expects")
    acted.plot(plan.actions[0, :steps, :MOST_LINES], linewidth=1)
    acted.set(xlabel="step", ylabel="action", title="what it does")
    return _save(figure, path=path, title=title)


def _save(figure: Figure, *, path: Path, title: str) -> Path:
    for axis in figure.axes:
        axis.grid(alpha=0.3)
    figure.suptitle(title)
    return save(figure, path)
