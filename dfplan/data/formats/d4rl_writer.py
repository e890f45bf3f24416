"""Writes trajectories in D4RL's HDF5 layout, from which they are read back as they were."""

from pathlib import Path

import numpy as np

from dfplan.data.d4rl_file import write_d4rl
from dfplan.data.formats.d4rl import lay_out_rows
from dfplan.data.formats.extras import OWN, differences
from dfplan.errors import UserError
from dfplan.types import Trajectories


def check_target(path: Path) -> Path:
    """Refuse a file that is there already."""
    if path.exists():
        raise UserError(f"{path} is there already; choose another file")
    return path


def write(path: Path, data: Trajectories, *, replace: bool = False) -> Path:
    """Write a file, whole or not at all, that any reader of D4RL understands: an episode ends at a terminal or timeout.

    Args:
        path: of the file.
        data: with actions.
        replace: whether one that is there already is replaced, once the new one is complete.

    Final observations become ``next_observations``. What D4RL has no key for lies in the group ``dfplan``.

    Raises:
        UserError: the file is there or cannot be written, or there are no actions.
    """
    if not replace:
        check_target(path)
    if not data.actions.shape[1]:
        raise UserError(f"{data.source} has no actions, and a D4RL file needs some")
    arrays = _rows(data)
    own, facts = differences(data, lay_out_rows(arrays, source=str(path)))
    metadata = {"source": data.source, OWN: facts}
    return write_d4rl(path, arrays | {f"{OWN}/{name}": each for name, each in own.items()}, metadata=metadata)


def _rows(data: Trajectories) -> dict[str, np.ndarray]:
    """Everything by D4RL key, a row for each action."""
    is_step = np.ones(len(data), bool)
    ends = data.starts[1:] - 1
    if not data.last_actions:
        is_step[ends] = False
        if not is_step.any():
            raise UserError(f"{data.source} has no step, as all of its episodes are of one row; a D4RL file needs some")
        ends = ends[ends > data.starts[:-1]] - 1
    nothing = np.zeros(len(data), bool)
    terminals = nothing if data.terminations is None else data.terminations
    timeouts = nothing.copy() if data.truncations is None else data.truncations.copy()
    timeouts[ends] |= ~terminals[ends]
    arrays = {
        "observations": data.observations[is_step],
        "actions": data.actions[is_step],
        "terminals": terminals[is_step],
        "timeouts": timeouts[is_step],
    }
    if data.rewards is not None:
        arrays["rewards"] = data.rewards[is_step]
    if data.goals is not None:
        arrays["infos/goal"] = data.goals[is_step]
    if not data.last_actions:
        arrays["next_observations"] = data.observations[np.flatnonzero(is_step) + 1]
    return arrays
