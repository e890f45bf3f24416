"""The plots of the side by side."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from newest import TASKS, Records, names_of, scores_of

from dfplan.evaluation.statistics import performance_profile
from dfplan.viz.axes import label_logarithmic
from dfplan.viz.bench import COLORS


def draw(records: Records, folder: Path) -> None:
    """The three plots, each a panel a task (the profile is of all tasks)."""
    names = names_of(records)
    looks = {name: {"color": COLORS[index % len(COLORS)], "label": name} for index, name in enumerate(names)}
    for title, panel in (("score_against_time", score_panel), ("latency", latency_panel)):
        figure = Figure(figsize=(13, 7.5), layout="constrained", dpi=100)
        axes = figure.subplots(2, 3).flatten()
        for (maze, goal), record in records.items():
            axis = axes[TASKS.index((maze, goal))]
            panel(axis, record, looks)
            axis.set(title=f"{maze}, {goal} goal", xscale="log")
            label_logarithmic(axis.xaxis)
            axis.grid(alpha=0.3)
        labelled = {}
        for axis in axes:  # an agent need not be in every task
            labelled |= dict(zip(*axis.get_legend_handles_labels()[::-1], strict=True))
        shown_names = [name for name in names if name in labelled]
        figure.legend(
            [labelled[name] for name in shown_names], shown_names, loc="outside lower center", ncols=6, frameon=False
        )
        save(figure, folder / f"{title}.png")
    figure = Figure(figsize=(7, 4.5), layout="constrained", dpi=100)
    axis = figure.subplots()
    thresholds = np.linspace(0, 300, 301)
    for name in names:
        if scores := scores_of(records, name):
            axis.plot(thresholds, performance_profile(scores, thresholds), **looks[name])
    axis.set(xlabel="D4RL score", ylabel="share of episodes that score more, mean of tasks", ylim=(0, 1.02))
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)
    save(figure, folder / "profile.png")


def score_panel(axis: Any, record: dict[str, Any], looks: dict[str, Any]) -> None:
    """Score with its interval against the median time of a plan, one alone."""
    for agent in (each for each in record["agents"] if each["cost"]):
        seconds, score = agent["cost"]["1"]["plan_seconds"]["p50"], agent["metrics"]["normalized_return"]
        if seconds is None:
            axis.axhline(score["mean"], linestyle="--", linewidth=1, **looks[agent["name"]])
            continue
        errors = [[score["mean"] - score["low"]], [score["high"] - score["mean"]]]
        axis.errorbar(1000 * seconds, score["mean"], yerr=errors, fmt="o", capsize=3, **looks[agent["name"]])
    axis.set(xlabel="ms of a plan, one alone (median)", ylabel="D4RL score [95 %]")


def latency_panel(axis: Any, record: dict[str, Any], looks: dict[str, Any]) -> None:
    """What share of plans takes no longer; one alone, and dotted many at once."""
    for agent in (each for each in record["agents"] if each["cost"]):
        for batch, style in zip(sorted(agent["cost"], key=int), ("-", ":"), strict=False):
            samples = agent["cost"][batch]["plan_samples"]
            look = looks[agent["name"]] if style == "-" else {"color": looks[agent["name"]]["color"]}
            if samples:
                axis.ecdf(1000 * np.array(samples), linestyle=style, **look)
    axis.set(xlabel="ms of a plan (dotted: its share of a batch)", ylabel="share of plans")


def save(figure: Figure, path: Path) -> None:
    """Write a figure, and the folder where there is none."""
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path)
