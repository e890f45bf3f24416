"""Observations alone, as a table of numbers: .csv with or without a line of names, or .npy."""

import csv
import re
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
SEPARATORS = ";\t"  # beside the comma
LINES_AT_ONCE = 2**16
NPY_DIMENSIONS = (2, 3)


def read(path: str | Path) -> Trajectories:
    """Read observations without actions.

    A .csv is separated by commas, semicolons or tabs and may begin with a line of names; a column that is called
    ``episode`` says which episode a row is of. A .npy is ``(rows, dim)``, one episode, or ``(episodes, rows, dim)``.

    Raises:
        UserError: the file is missing, or no table of numbers; names the line.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"no data set at {path}; check the path")
    check_bytes(path.stat().st_size, source=str(path))
    observations, ends, names = _read_npy(path) if path.suffix.lower() == ".npy" else _read_csv(path)
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
        with path.open(encoding="utf-8-sig") as file:  # with a mark of its byte order in front or not
            first = file.readline()
            separator = _separator(first)
            names = _named(first, separator, path)
            if not names:
                file.seek(0)
            blocks = _blocks(file, names, separator=separator)
            found = joined(blocks, source=str(path))
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not written in UTF-8; save it as that") from error
    except UserError:
        raise
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(
            f"{path} is no table of numbers: {' '.join(str(error).split())[:150]}; mend that line"
        ) from error
    if not found:
        raise UserError(f"{path} has no rows; check the path")
    table, num_columns = found["observations"], sum(each.shape[1] for each in found.values())
    if names and len(names) != num_columns:
        raise UserError(f"{path}: its first line names {len(names)} columns, and there are {num_columns}; mend it")
    if EPISODE not in names:
        return table, np.array([len(table)]), names
    if not table.shape[1]:
        raise UserError(f"{path} has no column but {EPISODE}; add what was observed")
    episodes = found[EPISODE][:, 0]
    ends = np.append(rows_where(np.not_equal, episodes[1:], episodes[:-1]) + 1, len(table))
    if len(np.unique(episodes[ends - 1])) != len(ends):
        raise UserError(f"{path}: rows of an episode do not lie together; sort them by {EPISODE}, then by time")
    return table, ends, tuple(each for each in names if each != EPISODE)


def _named(line: str, separator: str, path: Path) -> tuple[str, ...]:
    """The names of the columns, where a line is of names; () where it is of numbers."""
    cells = [each.strip() for each in _cells(line, separator)]
    if all(not each or _is_number(each) for each in cells):
        return ()
    names = tuple(EPISODE if each.lower() == EPISODE else each for each in cells)
    if "" in names:
        raise UserError(
            f"{path}: column {names.index('') + 1} has no name, as where pandas wrote row numbers; name it, or take it "
            "out (pandas: to_csv(..., index=False))"
        )
    if names.count(EPISODE) > 1:
        raise UserError(f"{path}: {names.count(EPISODE)} columns are called {EPISODE}; rename all but one")
    return names


def _separator(line: str) -> str:
    """What stands between the cells of a line: a semicolon or tab where there is one outside of quotes, or a comma."""
    bare = re.sub('"[^"]*"', "", line)
    return next((each for each in SEPARATORS if each in bare), ",")


def _cells(line: str, separator: str) -> list[str]:
    return next(csv.reader([line.rstrip("\r\n")], delimiter=separator), [])


def _blocks(file: TextIO, names: tuple[str, ...], *, separator: str) -> Iterator[dict[str, np.ndarray]]:
    """The rows, many lines at a time, and apart from them the column that says which episode they are of."""
    num_rows = 0
    for number, lines in enumerate(iter(lambda: list(islice(file, LINES_AT_ONCE)), [])):
        written = [each for each in lines if each.strip()]
        if not written:
            continue
        try:
            rows = np.loadtxt(written, delimiter=separator, ndmin=2, encoding="utf-8", comments=None, quotechar='"')
        except ValueError as error:
            behind = number * LINES_AT_ONCE + bool(names)
            raise ValueError(_first_fault(lines, separator, behind=behind, row=num_rows) or str(error)) from error
        num_rows += len(rows)
        if EPISODE not in names or names.index(EPISODE) >= rows.shape[1]:
            yield {"observations": rows}
            continue
        column = names.index(EPISODE)
        yield {"observations": np.delete(rows, column, axis=1), EPISODE: rows[:, [column]]}


def _first_fault(lines: list[str], separator: str, *, behind: int, row: int) -> str:
    """What is wrong with the first of the lines that something is wrong with; "" is nothing that was found.

    ``behind`` so many lines of the file do these come, and their first row is number ``row``.
    """
    width = 0
    for number, line in enumerate(lines, start=behind + 1):
        cells = _cells(line, separator) if line.strip() else []
        if wrong := [each for each in cells if not _is_number(each)]:
            return f"line {number} (row {row}) has {wrong[0]!r} where a number belongs, with a point and no comma in it"
        if cells and width not in (0, len(cells)):
            return f"line {number} (row {row}) has {len(cells)} numbers, and those before it {width}"
        row += bool(cells)
        width = len(cells) or width
    return ""


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
