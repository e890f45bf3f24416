"""Pictures of agents that were measured side by side: score against time, the distributions of both."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dfplan.errors import counted
from dfplan.viz.axes import label_logarithmic
from dfplan.viz.figures import save

COLORS = (  # Okabe and Ito, and some more
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9",
    "#111827", "#9CA3AF", "#8B5CF6", "#84CC16", "#7F1D1D", "#F0E442",
    "#92400E", "#06B6D4", "#DB2777", "#4D7C0F", "#1E1B4B", "#FCA5A5",
)  # fmt: skip

# What agents are compared by, the first that there is, and how it is called.
SCORES = {"normalized_return": "score", "return": "return"}


def draw_bench(record: Mapping[str, Any], *, path: Path) -> Path:
    """Draw a record that :func:`dfplan.evaluation.bench_record.build_bench_record` made.

    Left: score, or return where there is no score, against milliseconds of a plan for one environment; middle: what
    share of plans takes how long; right: what share of episodes scores more than that.
    """
    figure = Figure(figsize=(14, 4.4), layout="constrained", dpi=110)
    against_time, latency, profile = figure.subplots(1, 3)
    batch = min(record["agents"][0]["cost"], key=int)
    score = next(name for name in SCORES if name in record["agents"][0]["metrics"])
    for index, agent in enumerate(record["agents"]):
        look = {"color": COLORS[index % len(COLORS)], "label": agent["name"]}
        _point(against_time, agent, score=agent["metrics"][score], batch=batch, look=look)
        seconds = agent["cost"][batch]["plan_samples"]
        if seconds:
            latency.ecdf(1000 * np.array(seconds), **look)
        profile.ecdf(agent["scores"], complementary=True, **look)
    against_time.set(xscale="log", xlabel="ms of a plan from the start (median, p95)", ylabel=f"{SCORES[score]} [95 %]")
    latency.set(xscale="log", xlabel="ms of a plan", ylabel="share of plans that took no longer")
    profile.set(xlabel=SCORES[score], ylabel="share of episodes that score more", ylim=(0, 1))
    for axis in (against_time, latency, profile):
        axis.grid(alpha=0.3)
    for axis in (against_time, latency):
        label_logarithmic(axis.xaxis)
    profile.legend(fontsize=8, loc="lower left")
    goal = f", {record['goal']} goal" if "goal" in record else ""
    figure.suptitle(
        f"{record['env']}{goal}: {counted(record['n_episodes'], 'episode')}, {record['device']}, "
        f"{counted(record['threads'], 'thread')}, {batch} at a time"
    )
    return save(figure, path)


def _point(
    axis: Axes, agent: Mapping[str, Any], *, score: Mapping[str, Any], batch: str, look: Mapping[str, Any]
) -> None:
    """An agent as a cross: score and interval, median time and 95th percentile; one without plans as a line."""
    seconds = agent["cost"][batch]["plan_seconds"]
    low, high = (score["mean"] if score[name] is None else score[name] for name in ("low", "high"))
    if seconds["p50"] is None:
        axis.axhline(score["mean"], linestyle="--", linewidth=1, **look)
        return
    p50, p95 = 1000 * seconds["p50"], 1000 * seconds["p95"]
    axis.errorbar(
        p50, score["mean"], xerr=[[0], [p95 - p50]], yerr=[[score["mean"] - low], [high - score["mean"]]],
        fmt="o", capsize=3, **look,
    )  # fmt: skip
    axis.annotate(agent["name"], (p50, score["mean"]), xytext=(5, 5), textcoords="offset points", fontsize=8)
