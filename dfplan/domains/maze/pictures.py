"""Draw mazes, roll-outs over them, and plans with the way they were denoised; written as image files, no window needed.

x is the row and y the column of the layout: pictures show y to the right and x downwards, as the layout reads.
"""

from pathlib import Path
from typing import Any, cast

import dfplan.viz  # noqa: F401  # isort: skip  (first: it sees to a notebook's backend)
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.patches import Circle
from matplotlib.ticker import MaxNLocator

from dfplan.domains.maze.scene import CELL_OFFSET, OUTER_WALL
from dfplan.errors import UserError
from dfplan.planner import GuidanceSettings
from dfplan.types import Plan
from dfplan.viz.figures import save
from dfplan.viz.guidance import draw_guidance, summary

# The palette of Okabe and Ito, which colour-blind readers can tell apart.
BLUE, VERMILLION, GREEN, YELLOW = "#0072B2", "#D55E00", "#009E73", "#F0E442"
WALL, FLOOR, INK = "#4B5563", "#F8FAFC", "#111827"
TIME_COLORS = "viridis"
SHOWN_ROWS = 8


def draw_maze(ax: Axes, maze: Any) -> None:
    """Draw the walls of a maze (its ``layout``, rows of characters with ``#`` for wall) and set the limits to it."""
    walls = np.array([[character == "#" for character in row] for row in maze.layout])
    num_rows, num_columns = walls.shape
    low = CELL_OFFSET - 0.5
    extent = (low, low + num_columns, low + num_rows, low)
    ax.imshow(walls, extent=extent, cmap=ListedColormap([FLOOR, WALL]), vmin=0, vmax=1, interpolation="nearest")
    ax.set_xlim(low + OUTER_WALL, low + num_columns - OUTER_WALL)
    ax.set_ylim(low + num_rows - OUTER_WALL, low + OUTER_WALL)
    ax.set_aspect("equal")
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.tick_params(length=0, labelsize=8, labelcolor=WALL)
    ax.set_xticks(range(1, num_columns - 1))
    ax.set_yticks(range(1, num_rows - 1))
    ax.set_xlabel("y (column)", fontsize=9, color=WALL)
    ax.set_ylabel("x (row)", fontsize=9, color=WALL)


def draw_rollouts(
    positions: np.ndarray,
    *,
    goals: np.ndarray,
    at_goal: np.ndarray,
    maze: Any,
    path: Path,
    title: str,
    color_by: str = "time",
    guidance: GuidanceSettings | None = None,
) -> Path:
    """Draw where every episode went, from its start to its goal.

    Args:
        positions: ``(episodes, steps + 1, 2)``.
        goals: ``(episodes, 2)``; where all are the same, the goal disc is drawn.
        at_goal: ``(episodes, steps)`` bool.
        maze: with ``layout`` and ``goal_radius``.
        path: image file to write; its ending chooses the format.
        title: such as the name of the maze and the score.
        color_by: "time" (how many steps have passed) or "success" (was the goal ever touched).
        guidance: whose way-points and regions are marked.
    """
    if color_by not in ("time", "success"):
        raise UserError(f"roll-outs can be coloured by 'time' or 'success'; got {color_by!r}")
    figure = Figure(figsize=figure_size(maze), layout="constrained", dpi=150)
    ax = figure.add_subplot()
    draw_maze(ax, maze)
    success = at_goal.any(axis=1)
    width = float(np.clip(40 / len(positions), 0.6, 1.6))
    if color_by == "time":
        lines = _draw_timed_paths(ax, positions, width=width)
        # Colours end where the last episode arrives: afterwards everyone stands at the goal.
        last_arrival = int(at_goal[success].argmax(axis=1).max()) + 1 if success.any() else at_goal.shape[1]
        lines.set_norm(Normalize(0, max(last_arrival, 1)))
        _add_color_bar(ax, lines, label="environment step", extend="max")
    else:
        for wanted, color, label in ((True, BLUE, "reached the goal"), (False, VERMILLION, "never reached it")):
            chosen = positions[success == wanted][..., ::-1]
            ax.add_collection(LineCollection(list(chosen), colors=color, linewidths=width, alpha=0.6))
            ax.plot([], [], color=color, label=f"{label} ({len(chosen)})")
    if guidance is not None:
        draw_guidance(ax, guidance)
    draw_goals(ax, goals, radius=maze.goal_radius)
    draw_starts(ax, positions[:, 0], failed=np.logical_not(success))
    ax.set_title(title, loc="left", fontsize=11, color=INK)
    _add_legend(figure)
    return save(figure, path)


def draw_plan(
    plan: Plan,
    *,
    maze: Any,
    start: np.ndarray,
    goal: np.ndarray,
    path: Path,
    title: str,
    index: int = 0,
    matrix: np.ndarray | None = None,
    guidance: GuidanceSettings | None = None,
) -> Path:
    """Draw one plan over the maze; below it, if the plan has its history, how it was denoised row by row.

    Args:
        plan: of which plan `index` is drawn.
        maze: with ``layout`` and ``goal_radius``.
        start: ``(2,)`` position that was planned from.
        goal: ``(2,)``.
        path: image file to write.
        title: such as the name of the maze.
        index: which plan of the batch.
        matrix: ``(rows, tokens)`` the levels of the scheduling matrix, drawn as a heat map. Its row 0 is all noise;
            ``plan.history[k]`` was reached with row ``k + 1``.
        guidance: whose way-points and regions are marked.
    """
    rows = [] if plan.history is None else _spread_rows(len(plan.history))
    history = np.empty(0) if plan.history is None else plan.history[:, index, :, :2]
    width, height = figure_size(maze)
    strip_height = 0 if not rows else 2 * (width / 4) * height / width * 1.15
    matrix_height = 0.0 if matrix is None else 2.2
    figure = Figure(figsize=(width, height + strip_height + matrix_height), layout="constrained", dpi=150)
    heights = [each for each in (height, strip_height, matrix_height) if each]
    grid = GridSpec(len(heights), 1, figure=figure, height_ratios=heights)
    _draw_final_plan(figure, grid[0], plan=plan, index=index, maze=maze, start=start, goal=goal, title=title)
    if guidance is not None:
        draw_guidance(figure.axes[0], guidance)
    if rows:
        cells = grid[1].subgridspec(2, SHOWN_ROWS // 2)
        for place, row in enumerate(rows):
            ax = figure.add_subplot(cells[place // cells.ncols, place % cells.ncols])
            _draw_denoising_row(ax, history[row], maze=maze, start=start, goal=goal)
            ax.set_title(f"row {row + 1}", fontsize=8, color=INK)
    if matrix is not None:
        _draw_matrix(figure.add_subplot(grid[len(heights) - 1]), matrix, marked_rows=[row + 1 for row in rows])
    _add_legend(figure)
    return save(figure, path)


def _draw_final_plan(
    figure: Figure, cell: Any, *, plan: Plan, index: int, maze: Any, start: np.ndarray, goal: np.ndarray, title: str
) -> None:
    ax = figure.add_subplot(cell)
    draw_maze(ax, maze)
    last_step, arrival = int(plan.num_steps[index]), int(plan.arrival[index])
    every_point = np.concatenate([np.reshape(start, (1, 2)), plan.observations[index, :, :2]])
    points = every_point[: 1 - (-min(arrival, last_step) // plan.steps_per_point)]
    afterwards = every_point[len(points) - 1 : 1 + last_step // plan.steps_per_point]
    draw_goals(ax, np.reshape(goal, (1, 2)), radius=maze.goal_radius)
    if len(afterwards) > 1:
        label = "planned on, after the arrival"
        ax.plot(*afterwards.T[::-1], color=WALL, linewidth=0.8, alpha=0.4, zorder=1.8, label=label)
    if plan.history is not None:
        label = "between planned points, partly denoised"
        if (shown := len(plan.history[0, index]) * plan.steps_per_point) < last_step:
            label += f" (rows show the first {shown} of {last_step} steps)"
        ax.plot([], [], color=WALL, linewidth=0.4, alpha=0.5, label=label)
    lines = _draw_timed_paths(ax, points[None], width=2.2, steps_per_point=plan.steps_per_point)
    steps = np.arange(len(points)) * plan.steps_per_point
    ax.scatter(*points.T[::-1], c=steps, cmap=TIME_COLORS, s=16, zorder=4, edgecolors="white", linewidths=0.5)
    draw_starts(ax, np.reshape(start, (1, 2)), failed=np.array([False]))
    _add_color_bar(ax, lines, label="environment step")
    verdict = f"arrives at step {arrival}" if arrival <= last_step else f"does not arrive within {last_step} steps"
    kept = "" if plan.verdict is None else f"\n{summary(plan.verdict, index)}"
    ax.set_title(f"{title}: {verdict}{kept}", loc="left", fontsize=11, color=INK)


def _draw_denoising_row(ax: Axes, points: np.ndarray, *, maze: Any, start: np.ndarray, goal: np.ndarray) -> None:
    draw_maze(ax, maze)
    ax.set(xticks=[], yticks=[], xlabel="", ylabel="")
    ax.plot(*points.T[::-1], color=WALL, linewidth=0.4, alpha=0.5, zorder=2)
    ax.scatter(*points.T[::-1], c=np.arange(len(points)), cmap=TIME_COLORS, s=7, zorder=3)
    ax.plot(goal[1], goal[0], marker="*", color=VERMILLION, markersize=8, markeredgecolor="white", zorder=5)
    ax.plot(start[1], start[0], marker="o", color="white", markersize=4, markeredgecolor=INK, zorder=5)


def _draw_matrix(ax: Axes, matrix: np.ndarray, *, marked_rows: list[int]) -> None:
    image = ax.imshow(matrix, cmap="cividis", aspect="auto", interpolation="nearest", vmin=0)
    marked_rows = [row for row in marked_rows if row < len(matrix)]
    if marked_rows:
        ax.set_yticks(marked_rows)
        ax.hlines(marked_rows, -0.5, matrix.shape[1] - 0.5, colors="white", linewidths=0.6, alpha=0.7)
    ax.set_xlabel("token (the future to the right)", fontsize=9, color=WALL)
    ax.set_ylabel("row", fontsize=9, color=WALL)
    ax.set_title("scheduling matrix", loc="left", fontsize=10, color=INK)
    ax.tick_params(length=0, labelsize=8, labelcolor=WALL)
    for spine in ax.spines.values():
        spine.set_visible(False)
    _add_color_bar(ax, image, label="noise level (0 = clean)")


def _draw_timed_paths(ax: Axes, positions: np.ndarray, *, width: float, steps_per_point: int = 1) -> LineCollection:
    """Draw paths ``(paths, points, 2)`` coloured by the step at which each piece was passed."""
    swapped = positions[..., ::-1]
    # Later pieces on top: where paths cross, the eye sees where they went last.
    segments = np.stack([swapped[:, :-1], swapped[:, 1:]], axis=2).swapaxes(0, 1)
    num_points, num_paths = segments.shape[:2]
    steps = np.repeat(np.arange(num_points) * steps_per_point, num_paths)
    lines = LineCollection(
        list(segments.reshape(-1, 2, 2)),
        array=steps,
        cmap=TIME_COLORS,
        norm=Normalize(0, num_points * steps_per_point),
        linewidths=width,
        capstyle="round",
        zorder=2,
    )
    ax.add_collection(lines)
    return lines


def draw_goals(ax: Axes, goals: np.ndarray, *, radius: float) -> None:
    """Draw goals ``(episodes, 2)``; the disc around them too where all are the same."""
    distinct = np.unique(goals, axis=0)
    if len(distinct) == 1:
        center = (distinct[0, 1], distinct[0, 0])
        ax.add_patch(Circle(center, radius, facecolor=VERMILLION, alpha=0.18, edgecolor="none", zorder=1.5))
        ax.add_patch(Circle(center, radius, facecolor="none", edgecolor=VERMILLION, linewidth=1.2, zorder=4))
    size = 170 if len(distinct) == 1 else 60
    ax.scatter(
        *distinct.T[::-1],
        marker="*",
        s=size,
        color=VERMILLION,
        edgecolors="white",
        linewidths=0.8,
        zorder=6,
        label="goal",
    )


def draw_starts(ax: Axes, starts: np.ndarray, *, failed: np.ndarray) -> None:
    """Draw starts ``(episodes, 2)``, those of failed episodes ``(episodes,)`` with a cross."""
    ax.scatter(*starts.T[::-1], s=18, color="white", edgecolors=INK, linewidths=0.9, zorder=5, label="start")
    if failed.any():
        label = f"start of a failure ({int(failed.sum())})"
        ax.scatter(
            *starts[failed].T[::-1],
            s=26,
            marker="X",
            color=INK,
            edgecolors="white",
            linewidths=0.5,
            zorder=5.5,
            label=label,
        )


def _add_color_bar(ax: Axes, mappable: Any, *, label: str, extend: str = "neither") -> None:
    figure = cast(Figure, ax.get_figure())
    bar = figure.colorbar(mappable, ax=ax, aspect=30, pad=0.02, extend=extend, ticks=MaxNLocator(integer=True))
    bar.set_label(label, fontsize=9, color=WALL)
    bar.ax.tick_params(length=0, labelsize=8, labelcolor=WALL)
    cast(Any, bar.outline).set_visible(False)


def _add_legend(figure: Figure) -> None:
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 4), frameon=False, fontsize=9)


def _spread_rows(num_rows: int) -> list[int]:
    """Choose at most `SHOWN_ROWS` rows, evenly spread, the first and the last among them."""
    return sorted({round(row) for row in np.linspace(0, num_rows - 1, SHOWN_ROWS).tolist()})


def figure_size(maze: Any) -> tuple[float, float]:
    """Choose inches that fit a maze of this shape, with room for the colour bar, title and legend."""
    rows, columns = len(maze.layout), len(maze.layout[0])
    width = min(8.0, 6.5 * columns / rows)
    return width, (width - 1.4) * (rows - 2 * OUTER_WALL) / (columns - 2 * OUTER_WALL) + 1.3
