"""Charts as SVG that takes the colours of the page around it, light or dark."""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dfplan.viz.axes import label_logarithmic

# Colours that stand for those of the page until the SVG is written; nothing else is drawn in them.
INK, GRID, BLUE, RED, GREEN = "#010203", "#010204", "#010205", "#010206", "#010207"
MORE = tuple(f"#01{number:02x}ff" for number in range(12))
OF_PAGE = {INK: "currentColor", GRID: "var(--line)", BLUE: "var(--c0)", RED: "var(--c1)", GREEN: "var(--c2)"}
OF_PAGE |= {color: f"var(--c{number % 8})" for number, color in enumerate(MORE)}
SIZE = (4.6, 2.9)  # inches; at 96 pixels each as wide as a phone shows it
RANKS = {"best": GREEN, "median": BLUE, "worst": RED}


def draw_scores(scores: np.ndarray, estimate: Mapping[str, float | None], *, name: str) -> str:
    """Every episode's score ``(episodes,)``, the worst to the left; the mean and its interval behind."""

    def draw(axis: Axes) -> None:
        ordered = np.sort(scores)
        mean, low, high = (estimate[each] for each in ("mean", "low", "high"))
        if low is not None and high is not None:
            axis.axhspan(low, high, color=BLUE, alpha=0.18, linewidth=0, label="95 % interval of the mean")
        if mean is not None:
            axis.axhline(mean, color=BLUE, linewidth=1.2, label="mean")
        axis.plot(np.arange(1, len(ordered) + 1), ordered, ".", color=INK, markersize=6, label="an episode")
        axis.set(xlabel="episodes, the worst first", ylabel=name)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.legend(loc="best", fontsize=8, framealpha=0)

    return _svg(draw, salt="scores")


def draw_earned(rewards: Sequence[np.ndarray], shown: Mapping[str, int]) -> str:
    """Return so far of every episode; those that are ``shown``, by name, in colour."""

    def draw(axis: Axes) -> None:
        named = {number: name for name, number in shown.items()}
        for number in sorted(range(len(rewards)), key=lambda each: each in named):
            earned = np.cumsum(np.append(0, rewards[number]), dtype=float)
            every = max(1, len(earned) // 200)
            look: dict[str, Any] = {"color": INK, "alpha": 0.15, "linewidth": 0.8}
            if number in named:
                look = {"color": RANKS[named[number]], "linewidth": 1.8, "label": named[number]}
            axis.plot(np.arange(len(earned))[::every], earned[::every], **look)
        axis.set(xlabel="step", ylabel="return so far")
        if named:
            axis.legend(loc="best", fontsize=8, framealpha=0)

    return _svg(draw, salt="earned")


def draw_times(seconds: Mapping[str, Sequence[float]]) -> str:
    """What share of plans took no longer than so many milliseconds, a line a name, with p50, p95 and p99 of one."""

    def draw(axis: Axes) -> None:
        for color, (name, values) in zip(MORE, seconds.items(), strict=False):
            taken = 1000 * np.sort(values)
            if not len(taken):
                continue
            axis.ecdf(taken, color=color, label=name or None)
            if len(seconds) == 1:
                _mark_percentiles(axis, taken)
        axis.set(xlabel="ms of a plan", ylabel="share that took no longer", ylim=(0, 1.03))
        if len(seconds) > 1:
            axis.legend(loc="lower right", fontsize=8, framealpha=0)
            axis.set_xscale("log")
            label_logarithmic(axis.xaxis)

    return _svg(draw, salt="times")


def _mark_percentiles(axis: Axes, taken: np.ndarray) -> None:
    """Mark the median and two high percentiles; those that are the same are one mark."""
    names: dict[float, list[int]] = {}
    for share in (50, 95, 99):
        names.setdefault(float(np.percentile(taken, share)), []).append(share)
    for value, equal in names.items():
        axis.plot([value], [equal[0] / 100], "o", color=RED, markersize=4)
        label = ", ".join(f"p{share}" for share in equal)
        beside = {"textcoords": "offset points", "ha": "right", "fontsize": 8, "color": INK}
        axis.annotate(label, (value, equal[0] / 100), (-6, -9 if equal[0] == 95 else 2), **beside)


def draw_agents(agents: Sequence[Mapping[str, Any]], *, measure: str, name: str) -> str:
    """The mean and interval of a measure of every agent of a comparison, the first above."""

    def draw(axis: Axes) -> None:
        for row, agent in enumerate(agents):
            mean, low, high = (agent["metrics"][measure][each] for each in ("mean", "low", "high"))
            if mean is None:
                continue
            ends = (mean if low is None else low, mean if high is None else high)
            axis.plot(ends, (row, row), color=MORE[row % len(MORE)], linewidth=2.4)
            axis.plot([mean], [row], "o", color=MORE[row % len(MORE)], markersize=6)
        axis.set_yticks(range(len(agents)), [agent["name"] for agent in agents], parse_math=False)
        axis.set(xlabel=f"{name} [95 %]", ylim=(len(agents) - 0.5, -0.5))

    return _svg(draw, salt="agents", height=max(SIZE[1], 1.0 + 0.3 * len(agents)))


def draw_profiles(agents: Sequence[Mapping[str, Any]], *, name: str) -> str:
    """What share of episodes scores more than a number, a line an agent."""

    def draw(axis: Axes) -> None:
        for row, agent in enumerate(agents):
            axis.ecdf(agent["scores"], complementary=True, color=MORE[row % len(MORE)], label=agent["name"])
        axis.set(xlabel=name, ylabel="share of episodes that score more", ylim=(0, 1.03))
        axis.legend(loc="lower left", fontsize=8, framealpha=0)

    return _svg(draw, salt="profiles")


def _svg(draw: Callable[[Axes], None], *, salt: str, height: float = SIZE[1]) -> str:
    """A chart as an SVG element; names in it are text and never markup, as matplotlib writes XML."""
    ink: Any = ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color")
    how: dict[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": salt, "text.parse_math": False, "font.size": 9.5}
    with matplotlib.rc_context(how | dict.fromkeys(ink, INK)):
        figure = Figure(figsize=(SIZE[0], height), layout="constrained", facecolor="none")
        axis = figure.subplots()
        axis.set_facecolor("none")
        axis.grid(color=GRID, linewidth=0.6)
        axis.set_axisbelow(True)
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
        draw(axis)
        written = io.StringIO()
        figure.savefig(written, format="svg", facecolor="none", metadata={"Date": None, "Creator": None})
    svg = written.getvalue()
    # What matplotlib says of itself, and rules of style, which would be those of the whole page.
    svg = re.sub(r"<(metadata|style)\b.*?</\1>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    svg = re.sub(r'^(<svg [^>]*?)width="[^"]*" height="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'^(<svg [^>]*?)height="[^"]*"([^>]*?)width="[^"]*"', r"\1\2", svg, count=1)
    used = set(re.findall(r"#([\w.-]+)[\")]", svg))  # names that nothing refers to would stand in every chart alike
    svg = re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in used else "", svg)
    for color, of_page in OF_PAGE.items():
        svg = svg.replace(color, of_page)
    return svg
