"""Arrays of .npz files as vectors: what is declared is checked first, and objects are never loaded."""

import math
import zipfile
from collections.abc import Collection
from pathlib import Path

import numpy as np
import numpy.lib.format as npy

from dfplan.blocks import slices, stacked
from dfplan.data.formats.layout import check_bytes, vectors
from dfplan.errors import UserError

BROKEN = (OSError, ValueError, EOFError, KeyError, MemoryError, OverflowError, zipfile.BadZipFile)


def names_in(path: Path) -> set[str]:
    """Names of the arrays of a file; none where it is no such file, as :func:`load` will say."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {name.removesuffix(".npy") for name in archive.namelist()}
    except BROKEN:
        return set()


def load(path: Path, keys: Collection[str], *, flat: str | None = None) -> dict[str, np.ndarray]:
    """Those of the arrays ``keys`` that are there, ``(rows, dim)`` float32; ``flat`` must be vectors as it stands.

    Raises:
        UserError: the file is damaged, too large, or holds something else.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            check_bytes(sum(each.file_size for each in archive.infolist()), source=str(path))
            present = [key for key in keys if f"{key}.npy" in archive.namelist()]
            return {key: _read(archive, key, path, must_be_flat=key == flat) for key in present}
    except UserError:
        raise
    except BROKEN as error:
        reason = " ".join(str(error).split())[:150]
        raise UserError(f"{path} is no .npz of numbers, or damaged ({reason}); get it again") from error


def _read(archive: zipfile.ZipFile, key: str, path: Path, *, must_be_flat: bool) -> np.ndarray:
    """An array of the archive as vectors, read block by block where it is large, packed or not."""
    with archive.open(f"{key}.npy") as file:
        header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[npy.read_magic(file)]
        shape, is_by_columns, kind = header(file)
        if must_be_flat and len(shape) != 2:
            raise UserError(f"{path}: {key} must be vectors; got shape {list(shape)}; choose the data set of states")
        if not shape or is_by_columns:
            file.seek(0)
            return vectors(npy.read_array(file, allow_pickle=False), name=key, source=str(path))

        def block(rows: slice) -> np.ndarray:
            wanted = (rows.stop - rows.start, *shape[1:])
            read = np.frombuffer(file.read(math.prod(wanted) * kind.itemsize), kind)
            return vectors(read.reshape(wanted), name=key, source=str(path))

        return stacked(block(rows) for rows in slices(shape[0], math.prod(shape[1:]) * kind.itemsize))
