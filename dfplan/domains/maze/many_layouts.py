"""Many random layouts as one domain to train in: what is learned is how the ball moves, not where walls are."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from dfplan.data.d4rl_file import generated_file, write_d4rl
from dfplan.domains.maze.domain import MazeDomain
from dfplan.domains.maze.generate import generate_maze2d
from dfplan.domains.maze.layouts import FREE, GOAL, WALL, id_of
from dfplan.domains.maze.random_layouts import HELD_OUT, SIZES, random_layout
from dfplan.errors import UserError
from dfplan.scorers.support import measure_support
from dfplan.settings.resynthesis import ResynthesisSettings
from dfplan.types import Trajectories

MANY = re.compile(r"maze2d-random-(\w+)-(\d{1,5})-(\d{1,5})-v0")
NAMED = re.compile(r"random(?:-(\w+))?:(\d{1,5})-(\d{1,5})")
NUM_STEPS = 2_000_000  # of all layouts together
TOKENS = 8  # of a training window: as far as a part of a plan leads


def many_layouts(name: str) -> str | None:
    """The id of what ``random-large:0-63`` names; None where it names something else.

    Raises:
        UserError: there is no such size, or a seed is held out.
    """
    if (said := NAMED.fullmatch(name)) is None:
        return None
    return ManyMazesDomain(f"maze2d-random-{said[1] or 'medium'}-{int(said[2])}-{int(said[3])}-v0").many


class ManyMazesDomain(MazeDomain):
    """See :class:`MazeDomain`: random layouts of one size and of all seeds from one to another.

    The environment itself is an empty room of that size, in which every trajectory of every layout is possible.

    Args:
        env_id: such as ``maze2d-random-large-0-63-v0``.

    Raises:
        UserError: there is no such size, or a seed is held out.
    """

    def __init__(self, env_id: str) -> None:
        said = MANY.fullmatch(env_id)
        if said is None or said[1] not in SIZES or not int(said[2]) <= int(said[3]) < HELD_OUT:
            raise UserError(
                f"many mazes are random:<seed>-<seed> or random-large:<seed>-<seed>, the second no less than the first "
                f"and below {HELD_OUT:,}, from where on they are held out to measure on; got {env_id}"
            )
        self.many, self.size, self.seeds = env_id, said[1], range(int(said[2]), int(said[3]) + 1)
        cells = np.pad(np.full(np.subtract(SIZES[self.size][0], 2), FREE), 1, constant_values=WALL)
        cells[tuple(size // 2 for size in cells.shape)] = GOAL
        super().__init__(id_of(tuple("".join(row) for row in cells.tolist())))

    def generate(
        self,
        path: Path,
        *,
        num_steps: int | None,
        on_progress: Callable[[int, int], None],
        say: Callable[[str], None],
        seed: int = 0,
        **how: Any,
    ) -> None:
        """See :class:`dfplan.domain.Domain`: by D4RL's procedure, one trajectory a layout, all of one length."""
        each = (num_steps or NUM_STEPS) // len(self.seeds)
        parts = []
        for number, layout in enumerate(self.seeds):
            maze = id_of(random_layout(layout, size=self.size))
            parts.append(generate_maze2d(maze, num_steps=each, seed=seed + number, **how))
            parts[-1]["terminals"][-1] = True
            on_progress((number + 1) * each, each * len(self.seeds))
        arrays = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
        write_d4rl(path, arrays, metadata={"env_id": self.many, "num_steps": len(arrays["terminals"]), "seed": seed})

    def load(
        self,
        source: str,
        *,
        say: Callable[[str], None],
        cache_folder: Path,
        leave_out: Sequence[int] = (),
        bar: Callable[[str], Any],
    ) -> Trajectories:
        """See :class:`dfplan.domain.Domain`."""
        if source == "generated":
            path = generated_file(cache_folder, env_id=self.many)
            if not path.is_file():
                say(f"generating {NUM_STEPS:,} transitions of {len(self.seeds)} layouts into {path}, this once")
                with bar(f"data of {self.many}") as show:
                    self.generate(path, num_steps=None, on_progress=show, say=say)
            source = str(path)
        return super().load(source, say=say, cache_folder=cache_folder, leave_out=leave_out, bar=bar)

    def resynthesise(
        self, data: Trajectories, resynthesis: ResynthesisSettings, *, scorer: Any, **how: Any
    ) -> Trajectories:
        """See :class:`dfplan.domain.Domain`: side by side in one plane, where what was visited keeps them apart."""
        tile = np.array(self.maze.walls.shape) + 2.0
        across = int(np.ceil(np.sqrt(len(data.starts) - 1)))
        corners = tile * np.stack(np.divmod(np.arange(len(data.starts) - 1), across), axis=1)
        observations = data.observations.copy()
        observations[:, :2] += np.repeat(corners, np.diff(data.starts), axis=0)
        apart = replace(data, observations=observations)
        driven = super().resynthesise(apart, resynthesis, scorer=replace(scorer, support=measure_support(apart)), **how)
        driven.observations[:, :2] -= tile * np.floor((driven.observations[:, :2] + 1) / tile)
        return driven

    def protocol(self, **options: str) -> NoReturn:
        """See :class:`dfplan.domain.Domain`; a UserError: it is evaluated in one layout at a time."""
        raise UserError(f"{self.many} is to train in; evaluate in one maze, such as layout=random-{self.size}:10007")
