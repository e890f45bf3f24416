"""Draw guidance.png: the same start, goal and noise, planned without anything asked, and with two things asked."""

import numpy as np
from canvas import MAZE, PAPER, begin, draw_scene, generators, maze_env, title, write
from matplotlib.figure import Figure

import dfplan
from dfplan.domains.maze.pictures import BLUE
from dfplan.planner import GuidanceSettings
from dfplan.viz.guidance import draw_guidance, summary

HORIZON = 800


def main() -> None:
    """Plan free, around a disc, and by way of a place."""
    env = maze_env()
    observation, goal = begin(env)
    model = dfplan.load(MAZE)
    asked = {
        "nothing asked": GuidanceSettings(),
        "keep out of a disc": GuidanceSettings(keep_out=[[2, 4.1, 0.5]]),
        "pass a way-point": GuidanceSettings(waypoints=[[7, 1]]),
    }
    figure = Figure(figsize=(8, 2.3), dpi=110, layout="constrained", facecolor=PAPER)
    for ax, (name, guidance) in zip(figure.subplots(1, 3), asked.items(), strict=True):
        planner = dfplan.Planner(model, settings=dfplan.PlannerSettings(guidance=guidance))
        plan = planner.plan(observation[None], goal[None], horizon=HORIZON, generators=generators(0))
        last = -(-int(min(plan.arrival[0], plan.num_steps[0])) // plan.steps_per_point)
        places = np.concatenate([observation[None, :2], plan.observations[0, :last, :2]])
        draw_scene(ax, env.get_wrapper_attr("maze"), start=observation[:2], goal=goal)
        ax.plot(*places.T[::-1], color=BLUE, linewidth=1.4, marker="o", markersize=2, zorder=3)
        draw_guidance(ax, guidance)
        kept = "" if plan.verdict is None else f"\n{summary(plan.verdict, 0).split(';')[0]}"
        title(ax, f"{name}: step {plan.arrival[0]}{kept}")
    write(figure, "guidance.png")


if __name__ == "__main__":
    main()
