"""Draw three_uses.png: the same weights as policy, planner and world model, and which levels their tokens begin at."""

from dataclasses import dataclass

import numpy as np
import torch
from canvas import MAZE, PAPER, begin, draw_levels, draw_scene, generators, maze_env, title, write
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import dfplan
from dfplan.domains.maze.pictures import BLUE, VERMILLION
from dfplan.planner import Sampling

HORIZON, NUM_SHOWN = 320, 8  # steps, and tokens whose levels are drawn
NUM_PREDICTED = 64  # steps of the world model


@dataclass(frozen=True)
class Use:
    """What a panel shows: places that were planned or predicted, and levels ``[2, prefix + tokens]``."""

    name: str
    places: np.ndarray
    levels: np.ndarray


def levels_of(planner: dfplan.Planner, *, goal_shown: bool, actions_known: bool, num_tokens: int) -> np.ndarray:
    """Levels of actions and of all others where denoising begins; goal and context come first."""
    observation = np.zeros((1, planner.observation_dim)) + np.array([1.0, 1.0, 0.0, 0.0])
    belief = planner.believe(observation, observation[:, :2] if goal_shown else None)
    known = torch.zeros(1, num_tokens, planner.model.layout.num_action_slots) if actions_known else None
    matrix = planner.settings.scheduling_matrix(num_tokens)
    sampling = Sampling(matrix=matrix, num_levels=planner.settings.num_levels, known_actions=known)
    levels = torch.cat([belief.levels[0], sampling.levels[0, 0]]).T.numpy()
    empty = np.full((2, 2 + NUM_SHOWN - levels.shape[1]), np.nan)
    return np.concatenate([levels, empty], axis=1)


def draw_use(ax: Axes, strip: Axes, use: Use) -> None:
    """Places over the maze, levels below."""
    ax.plot(*use.places.T[::-1], color=BLUE, linewidth=1.4, marker="o", markersize=3, zorder=3)
    title(ax, use.name)
    draw_levels(strip, use.levels, num_levels=1, axes_named=False)
    strip.set_xticks(range(use.levels.shape[1]), ["g", "o", *map(str, range(NUM_SHOWN))], fontsize=8)
    strip.set_yticks([0, 1], ["actions", "rest"], fontsize=8)


def main() -> None:
    """Act by the first token alone, plan the whole way, and predict what the plan's actions lead to."""
    env = maze_env()
    observation, goal = begin(env)
    model = dfplan.load(MAZE)
    start, planner = observation[None, :2], dfplan.Planner(model, settings=dfplan.PlannerSettings())
    plan = planner.plan(observation[None], goal[None], horizon=HORIZON, generators=generators(0))
    chunk = planner.plan(observation[None], goal[None], horizon=model.layout.steps_per_token, generators=generators(0))
    predicted = planner.predict(observation[None], plan.actions[:, :NUM_PREDICTED], generators=generators(0))
    found = [observation[:2]]
    for action in plan.actions[0, :NUM_PREDICTED]:
        found.append(env.step(action)[0][:2])
    last = -(-int(plan.arrival[0]) // plan.steps_per_point)
    sizes = {"goal_shown": True, "actions_known": False}
    uses = (
        Use(
            "policy: one token",
            np.concatenate([start, chunk.observations[0, :, :2]]),
            levels_of(planner, num_tokens=1, **sizes),
        ),
        Use(
            "planner: all tokens",
            np.concatenate([start, plan.observations[0, :last, :2]]),
            levels_of(planner, num_tokens=NUM_SHOWN, **sizes),
        ),
        Use(
            "world model: actions given",
            np.concatenate([start, predicted[0, :, :2]]),
            levels_of(planner, num_tokens=NUM_SHOWN, goal_shown=False, actions_known=True),
        ),
    )
    figure = Figure(figsize=(8, 3.0), dpi=110, layout="constrained", facecolor=PAPER)
    axes = figure.subplots(2, 3, height_ratios=[3.2, 1])
    for column, use in enumerate(uses):
        draw_scene(axes[0, column], env.get_wrapper_attr("maze"), start=observation[:2], goal=goal)
        draw_use(axes[0, column], axes[1, column], use)
    axes[0, 2].plot(*np.array(found).T[::-1], color=VERMILLION, linewidth=4, alpha=0.5, zorder=2.5)
    paper = {"facecolor": PAPER, "edgecolor": "none", "pad": 1.5}
    axes[0, 2].annotate("predicted", (5.2, 1.6), color=BLUE, fontsize=8, bbox=paper)
    axes[0, 2].annotate("found", (5.2, 2.7), color=VERMILLION, fontsize=8, bbox=paper)
    write(figure, "three_uses.png")


if __name__ == "__main__":
    main()
