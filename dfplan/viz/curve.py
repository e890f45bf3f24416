"""A picture of what rounds of practice do to the success with goals that the data lack."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dfplan.viz.figures import save


def draw_curve(rounds: Sequence[Mapping[str, Any]], *, path: Path) -> Path:
    """Draw the success of each round with its interval, and how much of what was practised before it arrived.

    Args:
        rounds: as ``dfplan evolve`` writes them to ``curve.json``, the first being that of the weights to begin with.
        path: image file; its ending chooses the format.

    Returns:
        ``path``.
    """
    figure = Figure(figsize=(6, 4), layout="constrained", dpi=130)
    axis = figure.add_subplot()
    numbers = [each["round"] for each in rounds]
    mean, low, high = ([100 * each["success"][name] for each in rounds] for name in ("mean", "low", "high"))
    axis.fill_between(numbers, low, high, color="#0072B2", alpha=0.2, linewidth=0)
    axis.plot(numbers, mean, color="#0072B2", marker="o", label="evaluated: unseen goals, never practised, with 95 %")
    practised = [each for each in rounds if "practised" in each]
    if practised:
        shares = [100 * each["practised"]["arrived"] / each["practised"]["episodes"] for each in practised]
        before = [each["round"] - 0.5 for each in practised]
        axis.plot(before, shares, "x", color="#E69F00", label="practised on the way to the round: arrived")
    axis.set(xlabel="round", ylabel="success, %", ylim=(0, 102))
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.grid(alpha=0.3)
    figure.legend(loc="outside lower center", fontsize="small", frameon=False)
    return save(figure, path)
