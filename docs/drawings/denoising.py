"""Draw denoising.png: one plan from noise to clean, some of its rows, and the scheduling matrix that they come from."""

import numpy as np
from canvas import MAZE, PAPER, begin, draw_levels, draw_scene, generators, maze_env, title, write
from matplotlib.figure import Figure

import dfplan
from dfplan.domains.maze.pictures import VERMILLION, WALL

NUM_LEVELS, HORIZON, SHOWN = 10, 320, 5


def main() -> None:
    """Plan once, with more levels than usual so that more is seen, and draw rows that are evenly spread."""
    env = maze_env()
    observation, goal = begin(env)
    planner = dfplan.Planner(dfplan.load(MAZE), settings=dfplan.PlannerSettings(num_levels=NUM_LEVELS))
    plan = planner.plan(observation[None], goal[None], horizon=HORIZON, generators=generators(0), record_history=True)
    assert plan.history is not None
    history = plan.history[:, 0, :, :2]
    matrix = planner.settings.scheduling_matrix(plan.rewards.shape[1]).numpy()
    rows = np.linspace(0, len(history) - 1, SHOWN).round().astype(int)
    figure = Figure(figsize=(8, 4.1), dpi=100, layout="constrained", facecolor=PAPER)
    axes = figure.subplots(2, 3).ravel()
    for ax, row in zip(axes, rows.tolist(), strict=False):
        draw_scene(ax, env.get_wrapper_attr("maze"), start=observation[:2], goal=goal)
        ax.plot(*history[row].T[::-1], color=WALL, linewidth=0.5, alpha=0.5, zorder=2)
        ax.scatter(*history[row].T[::-1], c=np.arange(len(history[row])), cmap="viridis", s=10, zorder=3)
        title(ax, f"row {row + 1}")
    draw_levels(axes[-1], matrix, num_levels=NUM_LEVELS, axes_named=False)
    for row in rows.tolist():
        axes[-1].axhline(row + 1, color=VERMILLION, linewidth=1)
    title(axes[-1], "its scheduling matrix")
    write(figure, "denoising.png")


if __name__ == "__main__":
    main()
