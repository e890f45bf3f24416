"""OGBench's .npz layout: compact arrays, one observation for each action."""

from pathlib import Path

import numpy as np

from dfplan.data.formats import npz
from dfplan.data.formats.layout import lay_out
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
    flat = npz.load(path, KEYS, flat="observations")
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
