"""Where the episodes of an evaluation begin and what they must reach, each a function of (seed, episode) alone."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dfplan.errors import UserError

START_NOISE = 0.1  # D4RL starts uniformly within this distance per axis of a cell's integer coordinates
GOALS = ("fixed", "random", "detour")
DETOUR_RATIO = 3.0
START_PROTOCOL = (
    "start cells follow one seeded permutation of the maze's start cells, over and over; "
    f"position noise ±{START_NOISE} per axis, velocity 0.1 * normal (D4RL)"
)
DETOUR_PROTOCOL = (
    f"start and goal cells whose shortest way over free cells (4 neighbours) is at least {DETOUR_RATIO:g} times as "
    "long as the straight line between them, one seeded permutation of all such ordered pairs, over and over; "
    f"position noise ±{START_NOISE} per axis on both, velocity 0.1 * normal"
)


def start_protocol(goal: str) -> str:
    """How episodes begin, in words."""
    return DETOUR_PROTOCOL if goal == "detour" else START_PROTOCOL


@dataclass(frozen=True)
class Beginnings:
    """How a run of consecutive episodes begins; every field has one entry an episode.

    Attributes:
        env_seeds: what the environments are seeded with.
        agent_seeds: what the agent is seeded with.
        starts: ``(episodes, 2)`` positions.
        goals: ``(episodes, 2)``, or None where the environment itself draws the goal.
    """

    env_seeds: list[int]
    agent_seeds: list[int]
    starts: np.ndarray
    goals: np.ndarray | None


def draw_beginnings(episodes: Sequence[int], *, maze: Any, goal: str, seed: int) -> Beginnings:
    """Derive each episode's beginning from (seed, episode) alone.

    Args:
        episodes: numbers of the episodes.
        maze: where they take place (see ``dfplan_envs.Maze``).
        goal: "fixed" or "random" (the environment's own affair), or "detour".
        seed: a non-negative integer.

    Raises:
        UserError: "detour" in a maze that has no such pair.
    """
    cells = maze.free_cells[:, None] if goal != "detour" else detour_pairs(maze)
    order = np.random.default_rng([seed]).permutation(len(cells))
    env_seeds, agent_seeds, points = [], [], []
    for episode in episodes:
        sequence = np.random.SeedSequence([seed, episode])
        env_seed, agent_seed = (int(word) for word in sequence.generate_state(2))
        chosen = cells[order[episode % len(order)]]
        noise = np.random.default_rng(sequence.spawn(1)[0]).uniform(-START_NOISE, START_NOISE, size=chosen.shape)
        env_seeds.append(env_seed)
        agent_seeds.append(agent_seed)
        points.append(chosen + noise)
    drawn = np.array(points)
    return Beginnings(env_seeds, agent_seeds, drawn[:, 0], drawn[:, 1] if goal == "detour" else None)


def detour_pairs(maze: Any, *, ratio: float = DETOUR_RATIO) -> np.ndarray:
    """Start and goal cells between which the straight line leads into dead ends.

    Returns:
        ``(pairs, 2, 2)`` int: ordered pairs of free cells (start, goal) whose shortest way over free cells, in steps
        between 4 neighbours, is at least ``ratio`` times the straight distance between them.

    Raises:
        UserError: the maze has no such pair.
    """
    cells = maze.free_cells
    straight = np.linalg.norm(cells[:, None] - cells[None], axis=-1)
    ways = way_lengths(cells)
    chosen = (ways >= ratio * straight) & np.isfinite(ways) & (straight > 0)
    if not chosen.any():
        raise UserError(
            f"maze {maze.name} has no two cells with a way {ratio:g} times as long as the straight line; "
            "goal=detour needs a maze with walls between, such as maze2d-large"
        )
    return cells[np.argwhere(chosen)]


def way_lengths(cells: np.ndarray) -> np.ndarray:
    """Steps between 4 neighbours from each cell to each other, ``(cells, cells)``; infinite where there is no way."""
    index = {tuple(cell): number for number, cell in enumerate(cells.tolist())}
    lengths = np.full((len(cells), len(cells)), np.inf)
    for number, first in enumerate(index):
        lengths[number, number] = 0
        waiting = deque([first])
        while waiting:
            row, column = here = waiting.popleft()
            for near in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
                if near in index and np.isinf(lengths[number, index[near]]):
                    lengths[number, index[near]] = lengths[number, index[here]] + 1
                    waiting.append(near)
    return lengths
