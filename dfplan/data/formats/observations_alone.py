"""Observations alone, as a table of numbers: .csv with or without a line of names, or .npy."""

from pathlib import Path

import numpy as np

from dfplan.data.formats.layout import check_bytes, lay_out, vectors
from dfplan.errors import UserError
from dfplan.types import Trajectories

EPISODE = "episode"
NPY_DIMENSIONS = (2, 3)


def read(path: str | Path) -> Trajectories:
    """Read observations without actions.

    A .csv may begin with a line of names; a column that is called ``episode`` says which episode a row is of. A .npy is
    ``(rows, dim)``, one episode, or ``(episodes, rows, dim)``.

    Raises:
        UserError: the file is missing, or no table of numbers; names the line.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"no data set at {path}; check the path")
    check_bytes(path.stat().st_size, source=str(path))
    observations, ends, names = _read_npy(path) if path.suffix == ".npy" else _read_csv(path)
    return lay_out(
        {
            "observations": vectors(observations, name="observations", source=str(path)),
            "actions": np.zeros((len(observations), 0), np.float32),
        },
        ends=ends,
        source=str(path),
        observation_names=names,
    )


def _read_npy(path: Path) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    try:
        # Mapped before it is read: a header may declare more than there is.
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        reason = " ".join(str(error).split())[:150]
        raise UserError(f"{path} is no .npy of numbers, or damaged ({reason}); get it again") from error
    if array.ndim not in NPY_DIMENSIONS or not array.size:
        raise UserError(f"{path} must be (rows, dim) or (episodes, rows, dim); got shape {list(array.shape)}")
    rows = array.reshape(-1, array.shape[-1])
    length = array.shape[-2]
    return np.asarray(rows), np.arange(length, len(rows) + 1, length), ()


def _read_csv(path: Path) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    try:
        with path.open(encoding="utf-8") as file:
            first = file.readline()
        names = tuple(each.strip().strip('"') for each in first.rstrip("\n").split(","))
        has_names = not all(map(_is_number, names))
        table = np.loadtxt(path, delimiter=",", skiprows=int(has_names), ndmin=2, encoding="utf-8", comments=None)
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} is no table of numbers: {' '.join(str(error).split())[:150]}; mend that line"
        ) from error
    if not table.size:
        raise UserError(f"{path} has no rows; check the path")
    if not has_names:
        return table, np.array([len(table)]), ()
    if len(names) != table.shape[1]:
        raise UserError(f"{path}: its first line names {len(names)} columns, and there are {table.shape[1]}; mend it")
    if EPISODE not in names:
        return table, np.array([len(table)]), names
    column = names.index(EPISODE)
    ends = np.append(np.flatnonzero(np.diff(table[:, column])) + 1, len(table))
    return np.delete(table, column, axis=1), ends, tuple(each for each in names if each != EPISODE)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
