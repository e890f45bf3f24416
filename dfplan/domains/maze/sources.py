"""One way to every dataset of a maze: generated here, D4RL's published file, or of any format that is read."""

import os
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from dfplan.data.d4rl_file import generated_file, read_metadata, write_d4rl
from dfplan.data.formats.choose import MINARI
from dfplan.data.jumps import step_times
from dfplan.domains.maze.download import download_d4rl
from dfplan.domains.maze.environment import largest_action, load_maze, step_seconds
from dfplan.domains.maze.generate import generate_maze2d
from dfplan.domains.maze.pointmaze import is_pointmaze, to_d4rl_coordinates
from dfplan.domains.maze.recorded import check_widths, read_recorded
from dfplan.errors import UserError
from dfplan.files import user_path
from dfplan.types import Trajectories

CELLS_PER_MILLION = 11.5  # free cells for a million transitions: so D4RL published 1, 2 and 4 of U-Maze, medium, large
NUM_CHECKED_POSITIONS = 100_000
LARGEST_SHARE_IN_WALLS = 1e-3
NO_CHANGE = 1e-6
ROUNDING = 1e-3  # of actions kept in half precision
LEAST_SHARE_OF_ACTIONS = 0.01  # of what the environment takes; less says nothing of what a whole action does
NUM_CHECKED_PUSHES, FEWEST_CHECKED_PUSHES = 100_000, 100  # steps whose actions are compared with what they did
# Of actions with changes of velocity: 0.99 where they are on record as driven, 0.6 where they are a row late.
LEAST_CORRELATION, USUAL_CORRELATION = 0.3, 0.8
OTHER_STEPS = 1.5  # times longer or shorter than the environment's


def load_trajectories(
    source: str,
    *,
    env_id: str,
    cache_folder: Path,
    num_steps: int | None = None,
    seed: int = 0,
    leave_out: Collection[int] = (),
    say: Callable[[str], None] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Trajectories:
    """Load a dataset of a maze, in the coordinates of D4RL's maze2d, and check that it is of that maze.

    Args:
        source: "generated" (made by D4RL's procedure unless it lies in the cache), "d4rl" (downloaded unless it lies
            in the cache), "minari:<id>" (of the local store), or the path of a data set of any format.
        env_id: such as ``maze2d-large-v1``.
        cache_folder: where generated and downloaded files are kept.
        num_steps: transitions to generate, and what a generated file in the cache must have; by default as many as
            D4RL published, and any number will do that is in the cache.
        seed: of the generation.
        leave_out: ids of episodes of a Minari dataset that are not read.
        say: called with a line about what is read, before anything that takes long, and about what was left out of it
            or cut.
        on_progress: called as ``on_progress(done, total)`` meanwhile: transitions, bytes or episodes.

    Raises:
        UserError: the source is unknown, missing, damaged, or of another maze.
    """
    maze = load_maze(env_id)
    env_id = states_id(env_id)
    say = say or (lambda line: None)
    if leave_out and not source.startswith(MINARI):
        raise UserError(f"leave_out names episodes of a minari: dataset, and data={source} is none; leave it away")
    read = partial(read_recorded, leave_out=leave_out)
    if source == "generated":
        path = generated_file(cache_folder, env_id=env_id)
        if path.is_file():
            _check_num_steps(path, wanted=num_steps, say=say)
        else:
            num_steps = num_steps or default_num_steps(env_id)
            say(f"generating {num_steps:,} transitions of {env_id} into {path}, this once")
            generate_file(path, env_id=env_id, num_steps=num_steps, seed=seed, on_progress=on_progress)
        trajectories = read(path)
    elif source == "d4rl":
        say(f"D4RL's published dataset of {env_id}, kept in {cache_folder}")
        trajectories = read(download_d4rl(env_id, cache_folder, on_progress=on_progress))
    elif source.startswith(MINARI):
        say(f"reading {source} episode by episode")
        trajectories = read(source)
        if is_pointmaze(source.removeprefix(MINARI)):
            num_rows, num_columns = maze.walls.shape
            trajectories = to_d4rl_coordinates(trajectories, num_rows=num_rows, num_columns=num_columns)
    elif os.path.exists(user_path(source)):
        trajectories = read(source)
    else:
        raise UserError(f"no data set at {source}; use generated, d4rl, minari:<data set id>, or a file's path")
    return check_trajectories(trajectories, env_id=env_id, say=say)


def check_trajectories(trajectories: Trajectories, *, env_id: str, say: Callable[[str], None]) -> Trajectories:
    """Return what was recorded, wherever it comes from, if it was recorded in a maze; ``say`` hears about doubts.

    Raises:
        UserError: it is of another maze, in other units, or does not go together.
    """
    maze, env_id = load_maze(env_id), states_id(env_id)
    _check_maze(trajectories, maze=maze)
    _check_motion(trajectories, largest=largest_action(env_id), env_id=env_id)
    _check_velocities(trajectories, seconds=step_seconds(env_id), env_id=env_id)
    _check_pushes(trajectories, env_id=env_id, say=say)
    for note in trajectories.notes:
        say(f"{trajectories.source}: {note}")
    return trajectories


def states_id(env_id: str) -> str:
    """The environment that a dataset of states belongs to: of a pixel maze, the maze whose frames it shows."""
    return env_id.replace("pixelmaze-open-v1", "maze2d-open-v0").replace("pixelmaze-", "maze2d-")


def default_num_steps(env_id: str) -> int:
    """As many transitions as D4RL published for a maze; for one that it does not know, as many for its size."""
    return 1_000_000 * max(1, round(len(load_maze(env_id).free_cells) / CELLS_PER_MILLION))


def generate_file(
    path: Path,
    *,
    env_id: str,
    num_steps: int,
    seed: int,
    noise: float = 0.5,
    on_progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Generate a dataset by D4RL's procedure into a D4RL file that remembers how it was made."""
    load_maze(env_id)  # an unknown environment is refused before anything is made
    show = None if on_progress is None else lambda done: on_progress(done, num_steps)
    arrays = generate_maze2d(env_id, num_steps=num_steps, seed=seed, noise=noise, on_progress=show)
    return write_d4rl(path, arrays, metadata={"env_id": env_id, "num_steps": num_steps, "seed": seed, "noise": noise})


def _check_num_steps(path: Path, *, wanted: int | None, say: Callable[[str], None]) -> None:
    metadata = read_metadata(path)
    if wanted is not None and metadata.get("num_steps") != wanted:
        raise UserError(
            f"{path} has {metadata.get('num_steps', 'an unknown number of')} transitions, not {wanted}; "
            "move it elsewhere to have another made, or do not ask for a number"
        )
    say(f"generated dataset {path}: {', '.join(f'{key} {value}' for key, value in metadata.items())}")


def _check_maze(trajectories: Trajectories, *, maze: Any) -> None:
    """Refuse a dataset whose ball went through the walls of this maze: it is of another one."""
    check_widths(trajectories)
    positions = trajectories.observations[:, :2]
    outside = np.flatnonzero(((positions < -1) | (positions > maze.walls.shape)).any(axis=1))
    if len(outside):
        raise UserError(
            f"{trajectories.source}: {len(outside)} positions lie outside of maze {maze.name}, the first is "
            f"{positions[outside[0]].tolist()}; take these rows out, or choose the env= that it was made for"
        )
    stride = -(-len(trajectories) // NUM_CHECKED_POSITIONS)
    share = float(np.mean(maze.contains_wall(positions[::stride])))
    if share > LARGEST_SHARE_IN_WALLS:
        raise UserError(
            f"{trajectories.source} is not a dataset of maze {maze.name}: {share:.0%} of its positions lie inside "
            "walls; choose the env= that it was made for, or another dataset"
        )


def _check_motion(trajectories: Trajectories, *, largest: float, env_id: str) -> None:
    """Refuse actions in other units than the environment's, and columns that say nothing of the motion."""
    source, acting = trajectories.source, np.ones(len(trajectories), bool)
    acting[trajectories.starts[1:] - 1] = False
    if not acting.any():
        raise UserError(
            f"{source}: no step in it, every row is a trajectory of its own; mend its flags, or get another"
        )
    for name, values in (("actions", trajectories.actions[acting]), ("observations", trajectories.observations)):
        constant = np.flatnonzero(np.ptp(values, axis=0) <= NO_CHANGE)
        if len(constant) and len(values) > 1:
            raise UserError(
                f"{source}: {name} never vary in columns {constant.tolist()}, so that nothing can be learned of them; "
                "record or convert the dataset with all its columns"
            )
    strength = np.abs(trajectories.actions).max(axis=1)
    beyond = np.flatnonzero(strength > largest * (1 + ROUNDING))
    if len(beyond):
        raise UserError(
            f"{source}: {len(beyond)} actions are beyond the {largest:g} that {env_id} takes, the largest is "
            f"{strength.max():.3g}; bring them to its units, or clip them if that is what the environment did"
        )
    if strength.max() < LEAST_SHARE_OF_ACTIONS * largest:
        raise UserError(
            f"{source}: no action is above {strength.max():.3g}, where {env_id} takes up to {largest:g}: they say "
            "nothing of what a whole action does; bring them to its units"
        )


def _check_velocities(trajectories: Trajectories, *, seconds: float, env_id: str) -> None:
    """Refuse velocities that say nothing of the motion, or that say it in other units or of other steps."""
    source, times = trajectories.source, step_times(trajectories, num_axes=2)
    if wrong := [axis for axis, time in times.items() if time is None]:
        raise UserError(
            f"{source}: positions in columns {wrong} of the observations do not move by the velocities in columns "
            f"{[axis + 2 for axis in wrong]}; columns must be x, y, vx, vy, and rows in the order of time"
        )
    for axis, time in times.items():
        if time and not seconds / OTHER_STEPS < time < seconds * OTHER_STEPS:
            raise UserError(
                f"{source}: between two rows positions in column {axis} move by {time:.3g} s of the velocities in "
                f"column {axis + 2}, where a step of {env_id} takes {seconds:g} s; velocities must be in positions a "
                "second, and rows one step apart"
            )


def _check_pushes(trajectories: Trajectories, *, env_id: str, say: Callable[[str], None]) -> None:
    """Refuse actions that are not those by which the ball was pushed: another sign, other columns, or noise.

    Say it where they hardly are.
    """
    acting = np.ones(len(trajectories), bool)
    acting[trajectories.starts[1:] - 1] = False
    before = np.flatnonzero(acting)
    before = before[:: max(1, len(before) // NUM_CHECKED_PUSHES)]
    if len(before) < FEWEST_CHECKED_PUSHES:
        return
    velocities, actions = trajectories.observations[:, 2:].astype(np.float64), trajectories.actions[before]
    changes = velocities[before + 1] - velocities[before]
    largest = np.quantile(np.abs(changes), 0.9, axis=0)  # what walls do is larger
    found = np.corrcoef(np.clip(changes, -largest, largest), actions, rowvar=False)[:2, 2:]
    along, across = np.diag(found), np.diag(found[:, ::-1])
    if (along >= USUAL_CORRELATION).all():
        return
    told = (
        f"{trajectories.source}: velocities change with the actions as {np.round(along, 2).tolist()} (1 is: as pushed)"
    )
    if (along >= LEAST_CORRELATION).all():
        say(f"{told}: some actions are not those that pushed the ball, or they belong to the rows before or after")
        return
    if (along < -LEAST_CORRELATION).any():
        raise UserError(f"{told}: actions have the wrong sign; turn it to that of {env_id}, where they are forces")
    if (across >= LEAST_CORRELATION).all():
        raise UserError(f"{told}: the columns of the actions are swapped; they must be the forces along x and y")
    raise UserError(
        f"{told}: the actions are not those that pushed the ball, or belong to other rows; mend the dataset"
    )
