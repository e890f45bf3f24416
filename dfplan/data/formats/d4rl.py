"""D4RL's HDF5 layout, of all tasks: locomotion, AntMaze, Adroit, Kitchen, and maze2d as it is recorded."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import h5py
import numpy as np

from dfplan.blocks import rows_where
from dfplan.data.d4rl_file import open_dataset, read_metadata
from dfplan.data.foreign_hdf5 import open_arrays, read_rows
from dfplan.data.formats.extras import OWN, OWN_ARRAYS, with_differences
from dfplan.data.formats.layout import flags, lay_out, numbers, vectors
from dfplan.errors import UserError
from dfplan.types import Trajectories

KEYS = ("observations", "actions", "rewards", "terminals", "timeouts", "next_observations", "infos/goal")


def read(path: str | Path) -> Trajectories:
    """Read a D4RL file as it is: every timeout and every terminal ends an episode, and nothing else is cut.

    Where ``next_observations`` are there, the last one of an episode becomes its last row; where one is not what is
    observed next, the episode ends although no flag says so, and a note tells.

    Raises:
        UserError: the file is missing, damaged, or has another layout; names the key, or the episode and the row.
    """
    return read_with(path)[0]


def read_with(path: str | Path, *keys: str) -> tuple[Trajectories, dict[str, np.ndarray]]:
    """:func:`read`, and what the file holds at other keys: ``(rows of the file, dim)`` float32, if it does."""
    path = Path(path)
    with open_dataset(path) as (file, checksum):
        found = open_arrays(file, (*KEYS, *keys), path=path)
        arrays = {key: _read(key, data, path) for key, data in found.items()}
        own_keys = {f"{OWN}/{name}": name for name in OWN_ARRAYS}
        own = {own_keys[key]: read_rows(data) for key, data in open_arrays(file, own_keys, path=path).items()}
    beside = {key: arrays.pop(key) for key in keys if key in arrays}
    plain = lay_out_rows(arrays, source=str(path), checksum=checksum)
    facts = read_metadata(path).get(OWN)
    return plain if facts is None else with_differences(plain, own, facts), beside


def lay_out_rows(arrays: Mapping[str, np.ndarray], *, source: str, checksum: str = "") -> Trajectories:
    """What arrays by D4RL key, ``(rows, ...)``, mean.

    Raises:
        UserError: some are missing, of another number of rows, or not finite.
    """
    arrays = dict(arrays)
    if missing := [key for key in KEYS[:2] if key not in arrays]:
        raise UserError(f"{source} has no dataset {missing[0]!r}; a D4RL file has {', '.join(KEYS[:5])}")
    if "terminals" not in arrays and "timeouts" not in arrays:
        raise UserError(f"{source} has neither terminals nor timeouts, so where its episodes end is unknown; add them")
    rows = len(arrays["observations"])
    if wrong := {key: len(array) for key, array in arrays.items() if len(array) != rows}:
        raise UserError(f"{source}: all keys must have as many rows as observations, {rows}; got {wrong}")
    flagged = [np.flatnonzero(arrays[key]) for key in ("terminals", "timeouts") if key in arrays]
    last = np.unique(np.concatenate([*flagged, np.arange(max(0, rows - 1), rows)]))
    follows, notes = arrays.pop("next_observations", None), ()
    if follows is not None:
        apart = rows_where(lambda one, other: (one != other).any(axis=1), follows[:-1], arrays["observations"][1:])
        unmarked = np.setdiff1d(apart, last)
        last = np.union1d(last, unmarked)
        if len(unmarked):
            notes = (f"{len(unmarked)} episodes end without a flag, the first at row {unmarked[0]} of the file",)
    ends = last + 1
    names = {"terminals": "terminations", "timeouts": "truncations", "infos/goal": "goals"}
    return lay_out(
        {names.get(key, key): array for key, array in arrays.items()},
        ends=ends,
        source=source,
        finals=None if follows is None else follows[ends - 1],
        notes=notes,
        checksum=checksum,
    )


def _read(key: str, data: h5py.Dataset, path: Path) -> np.ndarray:
    if data.ndim not in (1, 2):
        raise UserError(
            f"{path}: {key} must be a vector of numbers a row; got {data.dtype} of shape {list(data.shape)}"
        )
    if key in ("terminals", "timeouts"):
        return flags(read_rows(data), name=key, source=str(path))
    flat = read_rows(data, partial(vectors, name=key, source=str(path)))
    return numbers(flat, name=key, source=str(path)) if key == "rewards" else flat
