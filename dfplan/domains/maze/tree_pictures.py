"""Draw a tree of plans: where they go in the maze, and which plan leaves which, when, and what it is worth."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import dfplan.viz  # noqa: F401  # isort: skip  (first: it sees to a notebook's backend)
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import Normal as Unchanged
from matplotlib.patheffects import Stroke
from matplotlib.ticker import MaxNLocator

from dfplan.domains.maze.pictures import INK, VERMILLION, WALL, draw_goals, draw_maze, draw_starts, figure_size
from dfplan.viz.figures import save
from dfplan.viz.plan_trees import DrawnPlan
from dfplan.viz.plan_trees import drawn_plans as drawn_plans

VALUE_COLORS = "viridis"  # told apart by colour-blind readers, and in grey


def draw_tree(
    plans: Sequence[DrawnPlan],
    *,
    answer: int,
    maze: Any,
    start: np.ndarray,
    goal: np.ndarray,
    path: Path,
    title: str,
) -> Path:
    """Draw the plans over the maze and, beside it, the tree that they make.

    Args:
        plans: of one tree; a parent comes before its children.
        answer: number of the best plan.
        maze: with ``layout`` and ``goal_radius``.
        start: ``(2,)`` position that was planned from.
        goal: ``(2,)``.
        path: image file to write.
        title: such as the name of the maze.
    """
    width, height = figure_size(maze)
    figure = Figure(figsize=(2 * width, max(height, 5.0)), layout="constrained", dpi=150)
    left, right = figure.subplots(1, 2, width_ratios=[1.15, 1])
    values = np.array([plan.value for plan in plans])
    norm = Normalize(float(values.min()), max(float(values.max()), float(values.min()) + 1e-3))
    way = way_to(plans, answer)
    draw_maze(left, maze)
    _draw_paths(left, plans, norm=norm, way=way)
    draw_goals(left, np.reshape(goal, (1, 2)), radius=maze.goal_radius)
    draw_starts(left, np.reshape(start, (1, 2)), failed=np.array([False]))
    last, verdict = plans[answer].last_step, "arrives at" if plans[answer].arrives else "does not arrive by"
    left.set_title(f"{title}: the best of {len(plans)} plans {verdict} step {last}", loc="left", fontsize=11, color=INK)
    lines = _draw_branches(right, plans, norm=norm, way=way)
    bar = figure.colorbar(lines, ax=right, aspect=40, pad=0.02, ticks=MaxNLocator(5))
    bar.set_label("value of the plan", fontsize=9, color=WALL)
    bar.ax.tick_params(length=0, labelsize=8, labelcolor=WALL)
    cast(Any, bar.outline).set_visible(False)
    _add_legend(figure, left)
    return save(figure, path)


def way_to(plans: Sequence[DrawnPlan], answer: int) -> list[int]:
    """The best plan and those that it left, one after the other, the first plan first."""
    way = [answer]
    while plans[way[-1]].parent >= 0:
        way.append(plans[way[-1]].parent)
    return way[::-1]


def _draw_paths(ax: Axes, plans: Sequence[DrawnPlan], *, norm: Normalize, way: list[int]) -> None:
    """Every plan from where it leaves its parent, the better ones above the others, the best with a dark edge."""
    order = sorted(range(len(plans)), key=lambda index: plans[index].value)
    ax.add_collection(
        LineCollection(
            [plans[index].path[:, ::-1] for index in order],
            array=[plans[index].value for index in order],
            cmap=VALUE_COLORS,
            norm=norm,
            linewidths=1.1,
            alpha=0.75,
            capstyle="round",
            zorder=2,
        )
    )
    leaving = np.array([plan.path[0] for plan in plans if plan.parent >= 0]).reshape(-1, 2)
    ax.scatter(*leaving.T[::-1], s=7, color="white", edgecolors=WALL, linewidths=0.5, zorder=3)
    best = LineCollection(
        [best_path(plans, way)[:, ::-1]],
        array=[plans[way[-1]].value],
        cmap=VALUE_COLORS,
        norm=norm,
        linewidths=2.6,
        capstyle="round",
        zorder=3.5,
    )
    best.set_path_effects([Stroke(linewidth=4.6, foreground=INK), Unchanged()])
    ax.add_collection(best)


def best_path(plans: Sequence[DrawnPlan], way: list[int]) -> np.ndarray:
    """The whole best plan ``(points, 2)``, of the parts of all plans on the way to it."""
    parts = []
    for index, child in pairwise(way):
        leaves = plans[child].path[0]
        kept = int(np.linalg.norm(plans[index].path - leaves, axis=1).argmin())
        parts.append(plans[index].path[:kept])
    return np.concatenate([*parts, plans[way[-1]].path])


def _draw_branches(ax: Axes, plans: Sequence[DrawnPlan], *, norm: Normalize, way: list[int]) -> LineCollection:
    """Every plan as a bar over its steps, below the plan that it leaves; a thin line leads down to it."""
    height = {index: place for place, index in enumerate(in_order(plans))}
    bars = [[(plan.first_step, height[index]), (plan.last_step, height[index])] for index, plan in enumerate(plans)]
    falls = [
        [(plan.first_step, height[plan.parent]), (plan.first_step, height[index])]
        for index, plan in enumerate(plans)
        if plan.parent >= 0
    ]
    ax.add_collection(LineCollection(falls, colors=WALL, linewidths=0.5, alpha=0.5, zorder=1))
    dark = [bars[index] for index in way]
    dark += [[bars[child][0], (bars[child][0][0], height[index])] for index, child in pairwise(way)]
    thick = float(np.clip(150 / len(plans), 1.0, 5.0))
    ax.add_collection(LineCollection(dark, colors=INK, linewidths=thick + 1.6, capstyle="round", zorder=1.5))
    lines = LineCollection(bars, array=[plan.value for plan in plans], cmap=VALUE_COLORS, norm=norm, linewidths=thick)
    ax.add_collection(lines)
    stars = np.array([bars[index][1] for index, plan in enumerate(plans) if plan.arrives]).reshape(-1, 2)
    ax.scatter(*stars.T, marker="*", s=34, color=VERMILLION, edgecolors="white", linewidths=0.4, zorder=4)
    for index, plan in enumerate(plans):
        if plan.visits > 1:
            label = f"{plan.visits}"
            ax.annotate(
                label,
                (plan.first_step, height[index]),
                (-3, 0),
                textcoords="offset points",
                ha="right",
                va="center",
                fontsize=7,
                color=INK,
            )
    ax.set_ylim(len(plans) - 0.3, -0.7)
    ax.set_xlim(-0.04 * max(plan.last_step for plan in plans), None)
    ax.autoscale_view(scaley=False)
    ax.set_xlabel("environment step", fontsize=9, color=WALL)
    ax.set_title("which plan leaves which; numbers: plans tried at and below", loc="left", fontsize=10, color=INK)
    ax.set_yticks([])
    ax.tick_params(length=0, labelsize=8, labelcolor=WALL)
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.grid(axis="x", color=WALL, alpha=0.15, linewidth=0.6)
    return lines


def in_order(plans: Sequence[DrawnPlan]) -> list[int]:
    """Every plan before those that leave it, and those before the next; the ones that leave late come first."""
    children: dict[int, list[int]] = {}
    for index, plan in enumerate(plans):
        children.setdefault(plan.parent, []).append(index)
    order, waiting = [], sorted(children.get(-1, []), reverse=True)
    while waiting:
        order.append(waiting.pop())
        # Lines of late leavers then cross no bar of early ones.
        waiting += sorted(children.get(order[-1], []), key=lambda index: plans[index].first_step)
    return order


def _add_legend(figure: Figure, ax: Axes) -> None:
    handles, labels = ax.get_legend_handles_labels()
    handles += [
        Line2D([], [], color=INK, linewidth=4),
        Line2D([], [], marker="o", markersize=3.5, color="white", markeredgecolor=WALL, linestyle="none"),
        Line2D([], [], marker="*", markersize=8, color=VERMILLION, markeredgecolor="white", linestyle="none"),
    ]
    labels += ["the best plan (dark edge)", "where a plan leaves another", "arrives"]
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, fontsize=9)
