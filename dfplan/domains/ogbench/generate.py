"""OGBench's data of its point mazes, by the procedure of its ``data_gen_scripts/generate_locomaze.py``."""

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from dfplan.domains.ogbench.environment import make_published
from dfplan.errors import UserError

NOISE = 0.5
STITCHED_CELLS = 4  # from the start of an episode to its goal
EPISODES_AT_ONCE = 10  # that a process drives before it says so
PROCEDURE = "OGBench's generate_locomaze.py: the unit direction to the next cell on the shortest way, and normal noise"
PACKAGES = ("dfplan", "mujoco", "numpy", "ogbench")
NEXT = ((-1, 0), (0, -1), (1, 0), (0, 1))  # in the order in which the package looks around
Cell = tuple[int, int]


@dataclass(frozen=True)
class Episodes:
    """How many there are of a data set as published, and how long they are: ``data_gen_scripts/commands.sh``.

    Attributes:
        number: of training; a tenth more is published for validation, and is not made here.
        steps: of each.
    """

    number: int
    steps: int


def published(maze: str, kind: str) -> Episodes:
    """The episodes of a data set."""
    if kind == "stitch":
        return Episodes(5000, 201)
    return Episodes(500, 2001) if maze == "giant" else Episodes(1000, 1001)


def generate(
    path: Path,
    *,
    env_id: str,
    maze: str,
    kind: str,
    noise: float,
    num_steps: int | None,
    seed: int,
    num_processes: int,
    on_progress: Callable[[int, int], None],
) -> None:
    """Drive, and write a file in D4RL's layout, whose numbers do not depend on how many processes drove.

    Args:
        path: of it.
        env_id: of the environment.
        maze: of it.
        kind: "navigate" (one goal after the other in an episode) or "stitch" (one goal four cells away, then staying).
        noise: standard deviation of the noise on the actions.
        num_steps: transitions that are wanted at least, in whole episodes; None is as many as are published.
        seed: everything random follows from it; episode ``k`` from it and ``k`` alone.
        num_processes: that drive side by side.
        on_progress: called with the transitions that there are and that are wanted.

    Raises:
        UserError: OGBench is not installed, or a number is out of range.
    """
    from dfplan.data.d4rl_file import write_d4rl  # slow to import

    if not 0 <= noise < float("inf") or (num_steps is not None and num_steps < 1):
        raise UserError(f"num_steps must be at least 1 and noise finite, 0 or more; got {num_steps} and {noise}")
    make_published(maze).close()  # says what is missing here, rather than in another process
    episodes = published(maze, kind)
    count = episodes.number if num_steps is None else -(-num_steps // episodes.steps)
    parts = [range(first, min(first + EPISODES_AT_ONCE, count)) for first in range(0, count, EPISODES_AT_ONCE)]
    arrays: dict[str, list[np.ndarray]] = {}
    done = 0
    on_progress(0, count * episodes.steps)
    jobs = [(maze, kind, noise, episodes.steps, seed, part) for part in parts]
    for part in _driven(jobs, num_processes=min(num_processes, len(jobs))):
        for name, values in part.items():
            arrays.setdefault(name, []).append(values)
        done += len(part["actions"])
        on_progress(done, count * episodes.steps)
    metadata = {
        "env_id": env_id,
        "num_steps": done,
        "seed": seed,
        "noise": noise,
        "procedure": PROCEDURE,
        "versions": {name: version(name) for name in PACKAGES},
    }
    write_d4rl(path, {name: np.concatenate(values) for name, values in arrays.items()}, metadata=metadata)


def _driven(jobs: list[tuple], *, num_processes: int) -> Iterator[dict[str, np.ndarray]]:
    """The episodes of all jobs in their order."""
    if num_processes == 1:
        yield from map(_drive_some, jobs)
        return
    with ProcessPoolExecutor(num_processes, mp_context=get_context("spawn")) as pool:
        try:
            yield from pool.map(_drive_some, jobs)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _drive_some(job: tuple[str, str, float, int, int, range]) -> dict[str, np.ndarray]:
    maze, kind, noise, num_steps, seed, numbers = job
    collector = _collector(maze)
    driven = [collector.drive(kind, noise=noise, num_steps=num_steps, seeds=(seed, each)) for each in numbers]
    return {name: np.concatenate([each[name] for each in driven]) for name in driven[0]}


@cache
def _collector(maze: str) -> "Collector":
    """Made once in a process."""
    return Collector(maze)


class Collector:
    """Drives episodes in one maze.

    Args:
        maze: of :data:`~dfplan.domains.ogbench.environment.MAZES`.
    """

    def __init__(self, maze: str) -> None:
        self.env = make_published(maze, terminate_at_goal=False)
        free = self.env.maze_map == 0
        self.cells: list[Cell] = [(int(i), int(j)) for i, j in np.argwhere(free)]
        # Goals are where ways turn, part or end: not in the middle of a straight corridor.
        self.vertices = [cell for cell in self.cells if not _in_corridor(free, cell)]
        self._next = cache(self._next_place)

    def drive(self, kind: str, *, noise: float, num_steps: int, seeds: tuple[int, ...]) -> dict[str, np.ndarray]:
        """One episode, by D4RL's keys; the last of its actions has no outcome on record, as in OGBench's files.

        Args:
            kind: of data.
            noise: see :func:`generate`.
            num_steps: rows.
            seeds: everything random follows from them.
        """
        env, entropy = self.env, np.random.SeedSequence(seeds).generate_state(4)
        np.random.seed(entropy)  # noqa: NPY002 - the package draws from it, and so does its procedure
        draw = np.random.randint
        start = self.cells[draw(len(self.cells))]
        goals = self.vertices if kind == "navigate" else self.cells_around(start) or [start]
        task = {"init_ij": start, "goal_ij": goals[draw(len(goals))]}
        place, _ = env.reset(options={"task_info": task}, seed=int(entropy[0]))
        places, actions, reached, wanted = [], [], [], []
        for _ in range(num_steps):
            here = env.get_xy()
            direction = self._next(env.xy_to_ij(here), env.xy_to_ij(env.cur_goal_xy)) - here
            direction = direction / (np.linalg.norm(direction) + 1e-6)
            action = np.clip(direction + np.random.normal(0, noise, 2), -1, 1)  # noqa: NPY002
            places.append(place)
            actions.append(action)
            wanted.append(env.cur_goal_xy)
            place, _, _, _, info = env.step(action)
            reached.append(info["success"] > 0)
            if reached[-1] and kind == "navigate":
                env.set_goal(self.vertices[draw(len(self.vertices))])
        last = np.arange(num_steps) == num_steps - 1
        return {
            "observations": np.array(places, np.float32),
            "actions": np.array(actions, np.float32),
            "rewards": np.array(reached, np.float32),
            "terminals": np.zeros(num_steps, bool),
            "timeouts": last,
            "infos/goal": np.array(wanted, np.float32),
        }

    def cells_around(self, start: Cell) -> list[Cell]:
        """Those :data:`STITCHED_CELLS` away, in the order in which the package finds them."""
        free, left, queue = set(self.cells), {start: 0}, [start]
        for i, j in queue:
            for di, dj in NEXT:
                if (cell := (i + di, j + dj)) in free and cell not in left:
                    left[cell] = left[i, j] + 1
                    queue.append(cell)
        return [cell for cell in queue if left[cell] == STITCHED_CELLS]

    def _next_place(self, start: Cell, goal: Cell) -> np.ndarray:
        """Middle of the next cell, which the package searches anew with every step."""
        where = (np.array(self.env.ij_to_xy(cell), float) for cell in (start, goal))
        return self.env.get_oracle_subgoal(*where)[0]


def _in_corridor(free: np.ndarray, cell: Any) -> bool:
    """Whether there is a way on along one axis and none along the other; the outer cells of a maze are walls."""
    i, j = cell
    up_and_down, across = free[[i - 1, i + 1], j], free[i, [j - 1, j + 1]]
    return bool((up_and_down.all() and not across.any()) or (across.all() and not up_and_down.any()))
