"""Draw what a plan was guided by: way-points and regions."""

from matplotlib.axes import Axes
from matplotlib.patches import Circle, Patch, Rectangle

from dfplan.planner import GuidanceSettings
from dfplan.planner.objectives import Disc, Region

# Of the palette of Okabe and Ito, as in dfplan.viz.maze.
AVOIDED, KEPT, PASSED = "#D55E00", "#009E73", "#CC79A7"


def draw_guidance(ax: Axes, guidance: GuidanceSettings) -> None:
    """Mark way-points (with their numbers, if the order matters), regions to keep out of and regions to keep in."""
    for regions, color, label in (
        (guidance.keep_out, AVOIDED, "keep out"),
        (guidance.keep_in, KEPT, "keep in"),
    ):
        for number, region in enumerate(regions):
            ax.add_patch(_patch(region, color=color, label="" if number else label))
    for number, (x, y) in enumerate(guidance.waypoints):
        label = "" if number else "way-point"
        ax.scatter(y, x, marker="D", s=46, color=PASSED, edgecolors="white", linewidths=0.8, zorder=6, label=label)
        if guidance.in_order:
            ax.annotate(str(number + 1), (y, x), xytext=(6, 4), textcoords="offset points", fontsize=9, color=PASSED)


def _patch(region: Region, *, color: str, label: str) -> Patch:
    style = {"edgecolor": color, "facecolor": "none", "hatch": "///", "alpha": 0.7, "zorder": 2.5, "label": label}
    if isinstance(region, Disc):
        x, y = region.center
        return Circle((y, x), region.radius, **style)
    (x, y), (x_high, y_high) = region.low, region.high
    return Rectangle((y, x), y_high - y, x_high - x, **style)
