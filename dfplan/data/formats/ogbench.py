"""OGBench's .npz layout: compact arrays, one observation for each action."""

import math
import zipfile
from pathlib import Path

import numpy as np
import numpy.lib.format as npy

from dfplan.blocks import slices, stacked
from dfplan.data.formats.layout import check_bytes, lay_out, vectors
from dfplan.errors import UserError
from dfplan.types import Trajectories

KEYS = ("observations", "actions", "terminals", "rewards")


def read(path: str | Path) -> Trajectories:
    """Read a data set of states; its ``terminals`` say where episodes end, which OGBench's tasks do by time alone.

    Raises:
        UserError: the file is missing, damaged, of frames, or has another layout; names the key, or episode and row.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"no data set at {path}; check the path")
    flat = _load(path)
    if missing := [key for key in KEYS[:3] if key not in flat]:
        raise UserError(f"{path} has no array {missing[0]!r}; a data set of OGBench has {', '.join(KEYS[:3])}")
    flags = flat.pop("terminals")[:, 0]
    if not np.isin(flags, (0, 1)).all():
        raise UserError(f"{path}, row {int(np.argmin(np.isin(flags, (0, 1))))}: terminals must be 0 or 1; mend them")
    truncations = flags.astype(bool)
    cuts = truncations.copy()
    cuts[-1:] = True
    steps = {"observations": flat["observations"], "actions": flat["actions"], "truncations": truncations}
    if "rewards" in flat:
        steps["rewards"] = flat["rewards"][:, 0]
    return lay_out(steps, ends=np.flatnonzero(cuts) + 1, source=str(path))


def _load(path: Path) -> dict[str, np.ndarray]:
    """Read those keys that matter as vectors; what is declared is checked first, and objects are never loaded."""
    try:
        with zipfile.ZipFile(path) as archive:
            check_bytes(sum(each.file_size for each in archive.infolist()), source=str(path))
            return {key: _read(archive, key, path) for key in KEYS if f"{key}.npy" in archive.namelist()}
    except UserError:
        raise
    except (OSError, ValueError, EOFError, KeyError, MemoryError, OverflowError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())[:150]
        raise UserError(f"{path} is no .npz of numbers, or damaged ({reason}); get it again") from error


def _read(archive: zipfile.ZipFile, key: str, path: Path) -> np.ndarray:
    """An array of the archive as vectors, read block by block where it is large, packed or not."""
    with archive.open(f"{key}.npy") as file:
        header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[npy.read_magic(file)]
        shape, is_by_columns, kind = header(file)
        if key == "observations" and len(shape) != 2:
            raise UserError(
                f"{path}: observations must be vectors; got shape {list(shape)}; choose the data set of states"
            )
        if not shape or is_by_columns:
            file.seek(0)
            return vectors(npy.read_array(file, allow_pickle=False), name=key, source=str(path))

        def block(rows: slice) -> np.ndarray:
            wanted = (rows.stop - rows.start, *shape[1:])
            read = np.frombuffer(file.read(math.prod(wanted) * kind.itemsize), kind)
            return vectors(read.reshape(wanted), name=key, source=str(path))

        return stacked(block(rows) for rows in slices(shape[0], math.prod(shape[1:]) * kind.itemsize))
