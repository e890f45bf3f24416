"""Draw tree.png: a tree of plans (Monte Carlo Tree Guidance), over the maze and as a tree."""

import numpy as np
from canvas import MAZE, PICTURES, generators, maze_env

import dfplan
from dfplan.domains.maze.tree_pictures import draw_tree, drawn_plans
from dfplan.planner import TreePlanner

NUM_CANDIDATES, MAX_NODES, HORIZON = 4, 24, 800
START, GOAL = (3.0, 1.0), (1.0, 9.0)  # two ways lead there


def main() -> None:
    """Search with few plans, so that each can be seen."""
    env = maze_env()
    observation, goal = env.reset(seed=0, options={"start": START, "goal": GOAL})[0], np.array(GOAL)
    settings = dfplan.PlannerSettings(num_candidates=NUM_CANDIDATES)
    planner = TreePlanner(dfplan.load(MAZE), settings=settings, max_nodes=MAX_NODES)
    trees = planner.grow(planner.believe(observation[None], goal[None]), horizon=HORIZON, generators=generators(0))
    plans = drawn_plans(trees)
    draw_tree(
        plans,
        answer=max(range(len(plans)), key=lambda index: plans[index].value),
        maze=env.get_wrapper_attr("maze"),
        start=observation[:2],
        goal=goal,
        path=PICTURES / "tree.png",
        title=MAZE,
    )


if __name__ == "__main__":
    main()
