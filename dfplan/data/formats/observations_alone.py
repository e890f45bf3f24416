"""Observations alone, as a table of numbers: .csv with or without a line of names, or .npy."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TextIO

import numpy as np

from dfplan.blocks import rows_where
from dfplan.data.formats.layout import check_bytes, joined, lay_out, vectors
from dfplan.errors import UserError
from dfplan.types import Trajectories

EPISODE = "episode"
LINES_AT_ONCE = 2**16
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
            names = tuple(each.strip().strip('"') for each in file.readline().rstrip("\n").split(","))
            has_names = not all(map(_is_number, names))
            if not has_names:
                file.seek(0)
            found = joined(_blocks(file, names if has_names else ()), source=str(path))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} is no table of numbers: {' '.join(str(error).split())[:150]}; mend that line"
        ) from error
    if not found:
        raise UserError(f"{path} has no rows; check the path")
    table, num_columns = found["observations"], sum(each.shape[1] for each in found.values())
    if not has_names:
        return table, np.array([len(table)]), ()
    if len(names) != num_columns:
        raise UserError(f"{path}: its first line names {len(names)} columns, and there are {num_columns}; mend it")
    if EPISODE not in names:
        return table, np.array([len(table)]), names
    episodes = found[EPISODE][:, 0]
    ends = np.append(rows_where(np.not_equal, episodes[1:], episodes[:-1]) + 1, len(table))
    return table, ends, tuple(each for each in names if each != EPISODE)


def _blocks(file: TextIO, names: tuple[str, ...]) -> Iterator[dict[str, np.ndarray]]:
    """The rows, many lines at a time, and apart from them the column that says which episode they are of."""
    for number, lines in enumerate(iter(lambda: list(islice(file, LINES_AT_ONCE)), [])):
        lines = [each for each in lines if each.strip()]
        if not lines:
            continue
        try:
            rows = np.loadtxt(lines, delimiter=",", ndmin=2, encoding="utf-8", comments=None)
        except ValueError as error:
            behind = f" (behind {number * LINES_AT_ONCE} others)" if number else ""
            raise ValueError(f"{error}{behind}") from error
        if EPISODE not in names or names.index(EPISODE) >= rows.shape[1]:
            yield {"observations": rows}
            continue
        column = names.index(EPISODE)
        yield {"observations": np.delete(rows, column, axis=1), EPISODE: rows[:, [column]]}


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
