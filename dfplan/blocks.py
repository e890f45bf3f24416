"""Arrays of more rows than there is memory for: gone through block by block, kept in a file and mapped into memory.

What is large for the memory that is left is written, as it is read, to a file without a name in the cache folder, which
ends with the process. The system fetches the rows that are looked at, and drops them as it likes.
"""

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from dfplan.files import cache_folder, cannot_write

BLOCK_BYTES = 2**20
LARGE = 1 / 32  # of the memory that is left: data are some ten arrays, and what is done with them needs memory, too
PICTURE, NUMBERS = "image", "numbers"  # names of a picture that has none, and of what is shown beside pictures
CONTAINER_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def memory_left() -> int:
    """Bytes that this process may still take, by the machine, its container and its own limits (``ulimit``)."""
    import psutil  # not for --help

    process = psutil.Process()
    used, left = process.memory_info(), [psutil.virtual_memory().available]
    for name, taken in (("RLIMIT_DATA", "data"), ("RLIMIT_AS", "vms")):
        if hasattr(psutil, name):  # as on Linux
            limit = process.rlimit(getattr(psutil, name))[0]
            left += [limit - getattr(used, taken)] if limit >= 0 else []
    for file in CONTAINER_LIMITS:
        with suppress(OSError, ValueError):  # no such file, or "max"
            left.append(int(Path(file).read_text()) - used.rss)
    return max(0, min(left))


def is_large(num_bytes: float) -> bool:
    """Whether so many bytes are better not held in memory."""
    return num_bytes > LARGE * memory_left()


def slices(num_rows: int, row_bytes: float, *, multiple: int = 1) -> Iterator[slice]:
    """All rows at once or, where these are large, a block at a time, of a ``multiple`` of rows; at least one slice."""
    at_once = num_rows
    if is_large(num_rows * row_bytes):
        at_once = max(1, int(BLOCK_BYTES / (row_bytes * multiple))) * multiple
    for begin in range(0, max(1, num_rows), max(1, at_once)):
        yield slice(begin, min(begin + at_once, num_rows))


def rows_of(array: np.ndarray) -> Iterator[slice]:
    """:func:`slices` of an array by whose size they are chosen."""
    return slices(len(array), array.nbytes / max(1, len(array)))


def rows_where(condition: Callable[..., np.ndarray], *arrays: np.ndarray) -> np.ndarray:
    """The rows of arrays at which a condition of theirs, ``(rows,)`` bool, holds."""
    blocks = ((rows.start, [each[rows] for each in arrays]) for rows in rows_of(arrays[0]))
    return np.concatenate([begin + np.flatnonzero(condition(*block)) for begin, block in blocks])


class Column:
    """An array ``(rows, ...)`` that is made block after block, in memory as long as it is not large."""

    def __init__(self) -> None:
        self._blocks: list[np.ndarray] = []
        self._waiting, self._look_at, self._rows = 0, BLOCK_BYTES, 0
        self._file: Any = None

    def append(self, block: np.ndarray) -> None:
        """Put rows behind the others, all of one type and shape.

        Raises:
            UserError: they cannot be written to the cache folder.
        """
        self._blocks.append(block)
        self._waiting += block.nbytes
        self._rows += len(block)
        if self._waiting > self._look_at:  # not at every block, for a look takes as long as a short episode
            self._look_at += BLOCK_BYTES
            if self._file is not None or is_large(self._waiting):
                self._write()

    def array(self) -> np.ndarray:
        """All rows; read-only where they are mapped."""
        first = self._blocks[-1]
        if self._file is None:
            return first if len(self._blocks) == 1 else np.concatenate(self._blocks)
        self._write()
        return np.memmap(self._file, first.dtype, mode="r", shape=(self._rows, *first.shape[1:]))

    def _write(self) -> None:
        folder = cache_folder()
        try:
            if self._file is None:
                folder.mkdir(parents=True, exist_ok=True)
                self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 open as long as it is written
            for block in self._blocks:
                self._file.write(np.ascontiguousarray(block).data)
            self._file.flush()
        except OSError as error:
            raise cannot_write(folder, error) from error
        self._blocks, self._waiting, self._look_at = [self._blocks[-1][:0]], 0, BLOCK_BYTES


def stacked(blocks: Iterable[np.ndarray]) -> np.ndarray:
    """Blocks of rows below each other; mapped, and never all in memory, where they are large.

    Raises:
        UserError: they cannot be written to the cache folder.
    """
    column = Column()
    for block in blocks:
        column.append(block)
    return column.array()


def is_mapped(array: Any) -> bool:
    """Whether an array is a view of a file."""
    while array is not None and getattr(array, "_mmap", None) is None:  # of memmap, which results of it can be, too
        array = getattr(array, "base", None)
    return array is not None


def deviation(values: np.ndarray, dtype: Any = np.float64) -> np.ndarray:
    """What ``values.std(axis=0, dtype=dtype)`` is, to the last bit, without an array of its size.

    NumPy adds up vectors one after the other, and single numbers by halves of them all.
    """
    mean = values.mean(axis=0, dtype=dtype)

    def squares(rows: slice) -> np.ndarray:
        return np.square(values[rows] - mean)

    def by_halves(begin: int, end: int) -> Any:
        if (end - begin) * mean.itemsize <= BLOCK_BYTES:
            return squares(slice(begin, end)).sum(axis=0)
        middle = begin + (end - begin) // 16 * 8
        return by_halves(begin, middle) + by_halves(middle, end)

    if values.size == len(values):
        return np.sqrt(by_halves(0, len(values)) / len(values))
    total = np.zeros_like(mean)
    for rows in rows_of(values):
        total = np.concatenate([total[None], squares(rows)]).sum(axis=0)
    return np.sqrt(total / len(values))


@dataclass(frozen=True)
class Frames:
    """Pictures, one a row of data, that are drawn or read when they are asked for.

    Attributes:
        read: pictures ``(n, *shape)`` uint8 of rows ``(n,)``.
        rows: how many there are.
        shape: of one: height, width and channels; in front of them, how many are shown together.
        checksum: of what they are made of.
        first: row at which these begin, of those that ``read`` knows.
    """

    read: Callable[[np.ndarray], np.ndarray]
    rows: int
    shape: tuple[int, ...]
    checksum: str
    first: int = 0

    @classmethod
    def drawn(cls, states: np.ndarray, draw: Callable[[np.ndarray], np.ndarray], *, of: str = "") -> "Frames":
        """Pictures that ``draw`` makes of states ``(n, state_dim)``, so that none is kept; ``of`` names what draws."""
        states = np.ascontiguousarray(states)
        checksum = hashlib.sha256(of.encode() + states.tobytes()).hexdigest()
        return cls(lambda rows: draw(states[rows]), len(states), draw(states[:1]).shape[1:], checksum)

    @classmethod
    def stored(cls, pictures: np.ndarray) -> "Frames":
        """Pictures ``(rows, *shape)`` uint8 that are there, in memory or mapped into it."""
        checksum = hashlib.sha256()
        for rows in rows_of(pictures):
            checksum.update(np.ascontiguousarray(pictures[rows]).data)
        return cls(lambda rows: np.asarray(pictures[rows]), len(pictures), pictures.shape[1:], checksum.hexdigest())

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, part: slice) -> "Frames":
        first, last, _ = part.indices(self.rows)
        return replace(self, rows=max(0, last - first), first=self.first + first)

    def at(self, rows: np.ndarray) -> np.ndarray:
        """Pictures ``(n, *shape)`` uint8 of rows ``(n,)``."""
        return self.read(self.first + np.asarray(rows))
