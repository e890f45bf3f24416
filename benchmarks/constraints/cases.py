"""The cases: pairs of start and goal, each with a disc on its way, a way-point off it and a speed limit."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from dfplan.domains.maze.path_tracker import arc_lengths
from dfplan.planner import Planner, PlannerSettings
from dfplan.planner.constraints import Constraints
from dfplan.scorers.visited_grid import VisitedGrid

PARTS = ("keep_out", "waypoint", "speed")
LEAST_WAY = 4.0  # environment units from start to goal
RADII = (0.2, 0.5)  # of the disc
PLACES = (0.3, 0.7)  # of its centre, as a share of the way
OFF = 1.0  # environment units from the way to the way-point
LIMITS = (0.6, 0.9)  # of the usual speed
CLEAR = 0.3  # environment units from the disc to start, goal and way-point
MARGIN = 0.1  # environment units from the disc to a way over visited positions that counts as one
HURRY = 0.8  # share of an episode in which that way can be driven at the limit


@dataclass(frozen=True)
class Case:
    """One pair.

    Attributes:
        number: of the case.
        start, goal: positions ``(2,)``.
        disc: x, y and radius.
        waypoint: ``(2,)``.
        max_speed: environment units per second.
    """

    number: int
    start: np.ndarray
    goal: np.ndarray
    disc: tuple[float, float, float]
    waypoint: np.ndarray
    max_speed: float

    def constraints(self, parts: tuple[str, ...]) -> Constraints:
        """Some of the three."""
        return Constraints(
            keep_out=[self.disc] if "keep_out" in parts else (),
            waypoints=[self.waypoint.tolist()] if "waypoint" in parts else (),
            max_speed=self.max_speed if "speed" in parts else None,
        )


def draw_cases(model: Any, *, maze: Any, seed: int, count: int) -> tuple[list[Case], dict[str, int]]:
    """Draw cases until there are enough, and count by their reason those that were left out.

    A case depends on ``seed`` and its number alone; the way is that of the default planner without constraints.
    """
    planner = Planner(model, settings=PlannerSettings())
    left_out: dict[str, int] = {"covered": 0, "no way": 0, "no time": 0}
    grid, found = VisitedGrid(model.support, margin=0.2), []
    for number in range(count):
        generator = np.random.default_rng([seed, number])
        while True:
            start, goal = _pair(grid, maze, generator)
            way, usual = _unconstrained(planner, start, goal, generator, horizon=maze.max_episode_steps)
            reason, case = _draw(number, start, goal, way, usual, model=model, maze=maze, generator=generator)
            if case is not None:
                found.append(case)
                break
            left_out[reason] += 1
    return found, left_out


def _pair(grid: VisitedGrid, maze: Any, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    while True:
        cells = generator.choice(len(maze.free_cells), size=2, replace=False)
        start, goal = (maze.free_cells[cell] + generator.uniform(-0.1, 0.1, size=2) for cell in cells)
        if _way(grid, start, goal) >= LEAST_WAY:
            return start, goal


def _unconstrained(
    planner: Planner, start: np.ndarray, goal: np.ndarray, generator: np.random.Generator, *, horizon: int
) -> tuple[np.ndarray, float]:
    """The planned way ``(points, 2)`` to the goal, and the mean speed on it."""
    seed = torch.Generator().manual_seed(int(generator.integers(2**31)))
    plan = planner.plan(np.concatenate([start, [0, 0]])[None], goal[None], horizon=horizon, generators=[seed])
    last = -(-min(int(plan.arrival[0]), int(plan.num_steps[0])) // plan.steps_per_point)
    way = np.concatenate([start[None], plan.observations[0, :last, :2]])
    seconds = planner.model.dynamics.step * plan.steps_per_point * last
    return way, float(arc_lengths(way)[-1]) / seconds


def _draw(
    number: int,
    start: np.ndarray,
    goal: np.ndarray,
    way: np.ndarray,
    usual: float,
    *,
    model: Any,
    maze: Any,
    generator: np.random.Generator,
) -> tuple[str, Case | None]:
    """A case for a pair, or the reason for which it is none."""
    lengths = arc_lengths(way)
    at = generator.uniform(*PLACES) * lengths[-1]
    center = np.array([np.interp(at, lengths, way[:, axis]) for axis in (0, 1)])
    disc = (float(center[0]), float(center[1]), float(generator.uniform(*RADII)))
    cells = model.support.origin + model.support.cell * (np.argwhere(model.support.visited) + 0.5)
    off = np.linalg.norm(cells[:, None] - way, axis=-1).min(axis=1) >= OFF
    waypoint = cells[off][generator.integers(off.sum())] if off.any() else goal
    limit = float(generator.uniform(*LIMITS)) * usual
    if not off.any() or any(np.linalg.norm(place - center) < disc[2] + CLEAR for place in (start, goal, waypoint)):
        return "covered", None
    allowed = Constraints(keep_out=[disc]).restrict(model.support, margin=MARGIN)
    grid = VisitedGrid(allowed, margin=0.2)
    length = _way(grid, start, waypoint) + _way(grid, waypoint, goal)
    if not np.isfinite(length):
        return "no way", None
    if length / limit > HURRY * maze.max_episode_steps * model.dynamics.step:
        return "no time", None
    return "", Case(number, start, goal, disc, waypoint, limit)


def _way(grid: VisitedGrid, start: np.ndarray, end: np.ndarray) -> float:
    """Length of the shortest path that stays away from unvisited positions where it can; infinite without one."""
    cells = grid.nearest(np.stack([start, end]))
    path, counts = grid.paths(cells[:1], cells[1:])
    if cells[0] == cells[1]:
        return 0.0
    if path[0, counts[0] - 1] != cells[1]:
        return float("inf")
    return float(arc_lengths(grid.centers[path[0, : counts[0]]])[-1])
