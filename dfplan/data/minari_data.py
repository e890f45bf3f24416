"""Datasets of Minari from the local store, and the way from Gymnasium-Robotics' maze coordinates to D4RL's.

Downloads nothing: ``minari download <id>`` does, and ``MINARI_DATASETS_PATH`` names the store.
"""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from dfplan.data.d4rl_file import hash_file
from dfplan.data.jumps import cut_jumps
from dfplan.errors import UserError
from dfplan.types import Trajectories

MAIN_FILE = "main_data.hdf5"


def read_minari(dataset_id: str, *, on_progress: Callable[[int, int], None] | None = None) -> Trajectories:
    """Read a dataset of the local Minari store; an episode of T steps gives T + 1 rows, one without steps none.

    Of observations that are dicts (PointMaze, AntMaze) the entry "observation" is taken. Where an episode begins with
    the very observation that the one before ended with, the collector had only drawn a new goal (PointMaze): the two
    are joined at that row, which is marked in ``segment_ends``.

    Args:
        dataset_id: such as ``D4RL/pointmaze/large-v2``.
        on_progress: called as ``on_progress(episodes_done, episodes_in_all)``.

    Raises:
        UserError: Minari or the dataset is missing, damaged, or has a layout that does not fit.
    """
    dataset = _open(dataset_id)
    rows: list[np.ndarray] = []
    actions: list[np.ndarray] = []
    for done, episode in enumerate(_episodes(dataset, dataset_id), start=1):
        observed, acted = _checked_episode(episode, dataset_id)
        if len(acted):
            rows.append(observed)
            actions.append(acted)
        if on_progress is not None:
            on_progress(done, int(dataset.total_episodes))
    if not rows:
        raise UserError(f"minari:{dataset_id} has no episode with a step; choose another dataset")
    main_file = Path(dataset.storage.data_path) / MAIN_FILE
    checksum = hash_file(main_file) if main_file.is_file() else ""
    return _join_episodes(rows, actions, source=f"minari:{dataset_id}", checksum=checksum)


def is_pointmaze(dataset_id: str) -> bool:
    """Tell whether it was recorded in a PointMaze of Gymnasium-Robotics, whose coordinates differ from D4RL's."""
    spec = _open(dataset_id).env_spec
    return spec is not None and spec.id.startswith("PointMaze")


def to_d4rl_coordinates(trajectories: Trajectories, *, num_rows: int, num_columns: int) -> Trajectories:
    """Turn PointMaze trajectories into those of the same walls in D4RL's maze2d; ball and motors are the same.

    PointMaze has its origin in the middle, x to the right and y upwards, and cell (i, j) centred on
    ``(j + 0.5 - num_columns / 2, num_rows / 2 - i - 0.5)``; in maze2d x is the row, y the column, and the cell is
    centred on ``(i - 0.2, j - 0.2)``.

    Args:
        trajectories: observations ``(rows, 4)``: position and velocity; actions ``(rows, 2)``.
        num_rows: of the maze's layout, outer walls included.
        num_columns: likewise.
    """
    x, y, vx, vy = trajectories.observations.T
    right, up = trajectories.actions.T
    observations = np.stack([num_rows / 2 - 0.7 - y, x + num_columns / 2 - 0.7, -vy, vx], axis=1)
    return replace(
        trajectories,
        observations=observations.astype(np.float32),
        actions=np.stack([-up, right], axis=1).astype(np.float32),
    )


def _open(dataset_id: str) -> Any:
    try:
        import minari  # optional, and slow to import
    except ImportError as error:
        raise UserError("reading Minari datasets needs a package: pip install 'dfplan[minari]'") from error
    try:
        return minari.load_dataset(dataset_id)
    except FileNotFoundError as error:
        raise UserError(
            f"no dataset {dataset_id!r} in the local Minari store; fetch it with: minari download {dataset_id} "
            "(minari list local shows what is there, MINARI_DATASETS_PATH names the store); or use data=generated"
        ) from error
    except (OSError, ValueError, KeyError) as error:
        raise UserError(
            f"cannot open minari:{dataset_id}: {_one_line(error)}; check its name or fetch it again"
        ) from error


def _episodes(dataset: Any, dataset_id: str) -> Any:
    """Iterate over the episodes; what a damaged file raises becomes an error that names the fix."""
    try:
        yield from dataset.iterate_episodes()
    except (OSError, KeyError, ValueError, RuntimeError, AssertionError) as error:
        raise UserError(
            f"minari:{dataset_id} is damaged ({_one_line(error)}); delete it with minari delete {dataset_id} "
            "and fetch it again"
        ) from error


def _checked_episode(episode: Any, dataset_id: str) -> tuple[np.ndarray, np.ndarray]:
    """Return observations ``(T + 1, dim)`` and actions ``(T, dim)`` of an episode, checked."""
    where = f"minari:{dataset_id}, episode {episode.id}"
    observations = episode.observations
    if isinstance(observations, dict):
        if "observation" not in observations:
            raise UserError(f"{where}: observations have no entry 'observation', only {', '.join(observations)}")
        observations = observations["observation"]
    arrays = {"observations": np.asarray(observations), "actions": np.asarray(episode.actions)}
    for name, array in arrays.items():
        if array.ndim != 2 or array.dtype.kind != "f":
            raise UserError(
                f"{where}: {name} must be vectors of floating-point numbers, one a step; "
                f"got {array.dtype} of shape {array.shape}"
            )
        if not np.isfinite(array).all():
            bad = int(np.flatnonzero(~np.isfinite(array).all(axis=1))[0])
            raise UserError(f"{where}: {name} has NaN or infinity in row {bad}; remove the episode or fetch it again")
    if len(arrays["observations"]) != len(arrays["actions"]) + 1:
        raise UserError(
            f"{where}: must have one more observation than actions; got {len(arrays['observations'])} and "
            f"{len(arrays['actions'])}; remove the episode"
        )
    return arrays["observations"], arrays["actions"]


def _join_episodes(rows: list[np.ndarray], actions: list[np.ndarray], *, source: str, checksum: str) -> Trajectories:
    """Lay episodes end to end; one that goes on where its predecessor ended loses its first row to it."""
    goes_on = [False] + [np.array_equal(before[-1], after[0]) for before, after in pairwise(rows)]
    widths = {array.shape[1] for array in rows}, {array.shape[1] for array in actions}
    if any(len(width) > 1 for width in widths):
        raise UserError(f"{source}: all episodes must have vectors of the same length; got {widths[0]} and {widths[1]}")
    kept_rows, kept_actions = [], []
    for observed, acted, joined in zip(rows, actions, goes_on, strict=True):
        if joined:
            kept_actions[-1][-1] = acted[0]
            observed, acted = observed[1:], acted[1:]
        kept_rows.append(observed)
        kept_actions.append(np.concatenate([acted, np.zeros((1, acted.shape[1]), acted.dtype)]))
    ends = np.cumsum([len(array) for array in kept_rows])
    segment_ends = np.zeros(ends[-1], bool)
    segment_ends[ends - 1] = True
    starts = np.concatenate([[0], ends[:-1]])[~np.array(goes_on)]
    trajectories = Trajectories(
        observations=np.concatenate(kept_rows).astype(np.float32),
        actions=np.concatenate(kept_actions).astype(np.float32),
        starts=np.append(starts, ends[-1]),
        segment_ends=segment_ends,
        source=source,
        checksum=checksum,
    )
    return cut_jumps(trajectories, position_dim=trajectories.observations.shape[1] // 2)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
