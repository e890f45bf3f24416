"""What the drawings of the documentation share: where they go, how they look, and the maze that most of them show."""

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dfplan.domains.maze.pictures import INK, WALL, draw_goals, draw_maze, draw_starts

PICTURES = Path(__file__).parents[1] / "pictures"
PAPER = "#FFFFFF"  # a background of their own: pages are read on white and on black
MAZE = "maze2d-large"
START, GOAL = (1.0, 1.0), (7.0, 9.0)


def maze_env() -> gymnasium.Env[Any, Any]:
    """The maze of the drawings."""
    return gymnasium.make(f"dfplan_envs:{MAZE}-v1")


def generators(seed: int) -> list[torch.Generator]:
    """The noise of one plan."""
    return [torch.Generator().manual_seed(seed)]


def begin(env: gymnasium.Env[Any, Any]) -> tuple[np.ndarray, np.ndarray]:
    """The first observation and the goal of the episode that the drawings show."""
    observation, info = env.reset(seed=0, options={"start": START, "goal": GOAL})
    return observation, info["goal"]


def draw_scene(ax: Axes, maze: Any, *, start: np.ndarray, goal: np.ndarray) -> None:
    """The maze without its coordinates, the start and the goal."""
    draw_maze(ax, maze)
    ax.set(xticks=[], yticks=[], xlabel="", ylabel="")
    draw_goals(ax, np.reshape(goal, (1, 2)), radius=maze.goal_radius)
    draw_starts(ax, np.reshape(start, (1, 2)), failed=np.array([False]))


def title(ax: Axes, text: str) -> None:
    """What a panel shows, above it."""
    ax.set_title(text, loc="left", fontsize=10, color=INK)


def draw_levels(ax: Axes, levels: np.ndarray, *, num_levels: int, axes_named: bool = True) -> Any:
    """A scheduling matrix ``[rows, tokens]`` as a heat map, noise bright and clean dark."""
    image = ax.imshow(levels, cmap="cividis", aspect="auto", interpolation="nearest", vmin=0, vmax=num_levels)
    ax.tick_params(length=0, labelsize=8, labelcolor=WALL)
    for spine in ax.spines.values():
        spine.set_visible(False)
    if axes_named:
        ax.set_xlabel("token: the future to the right", fontsize=9, color=WALL)
        ax.set_ylabel("row of denoising", fontsize=9, color=WALL)
    return image


def write(figure: Figure, name: str) -> None:
    """Write a drawing into the folder of pictures."""
    figure.savefig(PICTURES / name, facecolor=PAPER)
