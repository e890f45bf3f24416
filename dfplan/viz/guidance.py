"""Draw what a plan was guided by: way-points and regions."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle, Patch, Rectangle

from dfplan.planner import GuidanceSettings
from dfplan.planner.regions import Box, Disc, as_region
from dfplan.types import Verdict

# Of the palette of Okabe and Ito, as in dfplan.domains.maze.pictures.
AVOIDED, KEPT, PASSED = "#D55E00", "#009E73", "#CC79A7"


def draw_guidance(ax: Axes, guidance: GuidanceSettings) -> None:
    """Mark way-points (with their numbers, if the order matters), regions to keep out of and regions to keep in."""
    for regions, color, label in (
        (guidance.keep_out, AVOIDED, "keep out"),
        (guidance.keep_in, KEPT, "keep in"),
    ):
        for number, region in enumerate(regions):
            ax.add_patch(_patch(as_region(region), color=color, label="" if number else label))
    for number, (x, y) in enumerate(guidance.waypoints):
        label = "" if number else "way-point"
        ax.scatter(y, x, marker="D", s=46, color=PASSED, edgecolors="white", linewidths=0.8, zorder=6, label=label)
        if guidance.in_order:
            ax.annotate(str(number + 1), (y, x), xytext=(6, 4), textcoords="offset points", fontsize=9, color=PASSED)


def summary(verdict: Verdict, index: int) -> str:
    """What a plan keeps or breaks, in a few words for a title."""
    names = verdict.broken[index]
    facts = [f"breaks {', '.join(names)}" if names else "keeps what was asked"]
    if np.isfinite(verdict.clearance[index]):
        facts.append(f"clearance {verdict.clearance[index]:z.2f}")
    if missed := int(verdict.missed[index].sum()):
        facts.append(f"{missed} of {verdict.missed.shape[1]} way-points missed")
    return "; ".join([*facts, f"top speed {verdict.top_speed[index]:.1f}"])


def _patch(region: Disc | Box, *, color: str, label: str) -> Patch:
    style = {"edgecolor": color, "facecolor": "none", "hatch": "///", "alpha": 0.7, "zorder": 2.5, "label": label}
    if isinstance(region, Disc):
        x, y = region.center
        return Circle((y, x), region.radius, **style)
    (x, y), (x_high, y_high) = region.low, region.high
    return Rectangle((y, x), y_high - y, x_high - x, **style)
