"""OGBench's .npz layout: compact arrays, one observation for each action."""

from pathlib import Path

import numpy as np

from dfplan.data.formats import npz
from dfplan.data.formats.layout import flags, lay_out, numbers
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
    truncations = flags(flat.pop("terminals"), name="terminals", source=str(path))
    cuts = truncations.copy()
    cuts[-1:] = True
    steps = {"observations": flat["observations"], "actions": flat["actions"], "truncations": truncations}
    if "rewards" in flat:
        steps["rewards"] = numbers(flat["rewards"], name="rewards", source=str(path))
    return lay_out(steps, ends=np.flatnonzero(cuts) + 1, source=str(path))
