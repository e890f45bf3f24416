"""OGBench's .npz layout: compact arrays, one observation for each action."""

import zipfile
from pathlib import Path

import numpy as np

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
    arrays = _load(path)
    if missing := [key for key in KEYS[:3] if key not in arrays]:
        raise UserError(f"{path} has no array {missing[0]!r}; a data set of OGBench has {', '.join(KEYS[:3])}")
    if arrays["observations"].ndim != 2:
        raise UserError(
            f"{path}: observations must be vectors; got shape {list(arrays['observations'].shape)}; choose the data "
            "set of states"
        )
    flat = {key: vectors(array, name=key, source=str(path)) for key, array in arrays.items()}
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
    """Read those keys that matter; what the archive declares is checked first, and objects are never loaded."""
    try:
        with zipfile.ZipFile(path) as archive:
            check_bytes(sum(each.file_size for each in archive.infolist()), source=str(path))
        with np.load(path, allow_pickle=False) as file:
            return {key: file[key] for key in KEYS if key in file.files}
    except UserError:
        raise
    except (OSError, ValueError, EOFError, KeyError, MemoryError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())[:150]
        raise UserError(f"{path} is no .npz of numbers, or damaged ({reason}); get it again") from error
