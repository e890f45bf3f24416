"""Plans in mazes that the weights have never seen: blue, told the map; red, not told."""

from dataclasses import replace
from typing import Any

import numpy as np
from canvas import draw_scene, generators, title, write
from matplotlib.figure import Figure

import dfplan
from dfplan.domains.find import find_domain, find_drawn
from dfplan.domains.maze.pictures import BLUE, VERMILLION
from dfplan.planner import GuidanceSettings, Planner, PlannerSettings

LAYOUTS = ("random:10000", "random:10001", "random:10002", "random:10003")


def main() -> None:
    """Draw them."""
    model = dfplan.load("maze2d-large")
    figure = Figure(figsize=(10, 2.9), layout="constrained", dpi=150)
    for number, (ax, layout) in enumerate(zip(figure.subplots(1, len(LAYOUTS)), LAYOUTS, strict=True)):
        drawn = find_drawn("maze2d", layout=layout)
        assert drawn is not None
        domain: Any = find_domain(drawn.env_id)
        maze = domain.maze
        start, goal = farthest_apart(domain)
        draw_scene(ax, maze, start=start, goal=goal)
        title(ax, f"layout={layout}")
        for told, colour in ((False, VERMILLION), (True, BLUE)):
            scorer = domain.with_map(model.scorer) if told else model.scorer
            settings = PlannerSettings(guidance=GuidanceSettings(rounds=1))
            planner = Planner(replace(model, scorer=scorer), settings=settings)
            seen = np.concatenate([start, np.zeros(2)])[None]
            plan = planner.plan(seen, goal[None], horizon=domain.spec.episode_steps, generators=generators(number))
            last = -(-min(int(plan.arrival[0]), int(plan.num_steps[0])) // plan.steps_per_point)
            path = np.concatenate([start[None], plan.observations[0, :last, :2]])
            ax.plot(path[:, 1], path[:, 0], color=colour, linewidth=1.8, zorder=4)
    write(figure, "unseen.png")


def farthest_apart(domain: Any) -> tuple[np.ndarray, np.ndarray]:
    """The two cells with the longest way between them."""
    from dfplan.domains.maze.beginnings import way_lengths

    cells = domain.maze.free_cells
    first, last = np.unravel_index(way_lengths(cells).argmax(), (len(cells), len(cells)))
    return cells[first].astype(float), cells[last].astype(float)


if __name__ == "__main__":
    main()
