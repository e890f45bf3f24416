"""What was recorded of a ball, as it rolled: on where its collector only drew a new goal, cut where it cannot go."""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import numpy as np

from dfplan.data.formats import d4rl, read, robomimic
from dfplan.data.formats.choose import is_hdf5
from dfplan.data.formats.layout import check_finite
from dfplan.data.jumps import find_jumps
from dfplan.errors import UserError, counted
from dfplan.files import user_path
from dfplan.types import Trajectories

TRUE_STATES = ("infos/qpos", "infos/qvel")  # of D4RL's own files, whose observations are stale behind a timeout


def read_recorded(source: str | Path, *, leave_out: Collection[int] = ()) -> Trajectories:
    """Read a data set of a maze by the reader of its format, as :func:`as_driven`.

    Args:
        source: a file, or ``minari:<data set id>``.
        leave_out: ids of episodes of Minari's that are not read.

    Raises:
        UserError: it is missing, damaged, or not of a maze; says what to do.
    """
    path, states = user_path(source), {}
    if not leave_out and is_hdf5(path) and not robomimic.is_robomimic(path):
        data, states = d4rl.read_with(path, *TRUE_STATES)
    else:
        data = read(source, leave_out=leave_out)
    check_widths(data)
    return as_driven(data, _true_states(states, data))


def check_widths(data: Trajectories) -> None:
    """Refuse data of anything but a ball in the plane."""
    widths = data.observations.shape[1], data.actions.shape[1]
    if widths != (4, 2):
        raise UserError(
            f"{data.source} has observations of length {widths[0]} and actions of length {widths[1]}; "
            "a maze2d dataset has 4 (x, y and their velocities) and 2: choose another dataset"
        )


def _true_states(found: dict[str, np.ndarray], data: Trajectories) -> np.ndarray | None:
    """``(rows, 4)``; None where they are not on record."""
    if len(found) < len(TRUE_STATES) or sum(each.shape[1] for each in found.values()) != 4:
        return None
    for name, values in found.items():
        if len(values) != len(data):
            raise UserError(f"{data.source}: {name} has {len(values)} rows and observations {len(data)}; mend the file")
        check_finite(values, name=name, source=data.source)
    return np.concatenate([found[name] for name in TRUE_STATES], axis=1)


def as_driven(data: Trajectories, states: np.ndarray | None = None) -> Trajectories:
    """Put episodes that end at goals of their collector together to the trajectories that were driven.

    With D4RL's true states rows go on across timeouts, unless the state jumps at one of them. Without them, an
    observation that only repeats the one before a timeout is stale, and left out. Where every episode has its final
    observation (Minari) and the next begins with the very same, the two are joined at that row. A trajectory ends at
    every step that is impossible, too.

    Args:
        data: as recorded, observations ``(rows, 4)``: position and velocity.
        states: ``(rows, 4)``, where the ball was at each row; None where observations tell it.

    Raises:
        UserError: nothing tells where trajectories end.
    """
    observations, ends = data.observations if states is None else states, np.zeros(len(data), bool)
    ends[data.starts[1:] - 1] = True
    keep, segment_ends = np.ones(len(data), bool), ends
    if data.last_actions:
        segment_ends = np.zeros_like(ends) if data.truncations is None else data.truncations
    if states is not None:
        if not _jumps(states[:, :2], ends=segment_ends):
            ends = np.zeros_like(ends) if data.terminations is None else data.terminations.copy()
    elif data.last_actions and data.truncations is None:
        raise UserError(
            f"{data.source} has neither timeouts nor the true state in {' and '.join(TRUE_STATES)}, so where its "
            "trajectories end is unknown; use a newer version of the dataset, or add the key timeouts"
        )
    else:
        repeats = ends[:-1] & (observations[1:] == observations[:-1]).all(axis=1)
        if data.last_actions:
            keep[1:] = ~repeats
        else:
            keep[:-1] = ~repeats
            segment_ends = np.append(False, repeats) | ends
    cuts = ends[keep]
    cuts[-1] = True
    rows = {name: array[keep] for name, array in data.per_row().items() if not name.endswith("goals")}
    rows |= {"observations": observations[keep], "segment_ends": segment_ends[keep]}
    driven = replace(data, **rows, goals=None, achieved_goals=None, pictures=None)
    return cut_jumps(_cut(driven, cuts), row_numbers=np.flatnonzero(keep))


def cut_jumps(data: Trajectories, *, row_numbers: np.ndarray | None = None) -> Trajectories:
    """End a trajectory wherever its next row cannot follow: at an end that has no flag, or where rows are missing.

    A row that is separated from all others thereby is left out; see :func:`dfplan.data.jumps.find_jumps`.

    Args:
        data: of positions and velocities.
        row_numbers: ``(rows,)`` by which the note names rows; None counts them.

    Returns:
        The data, every step of which is possible; where some were not, a note says how many.
    """
    jumps = find_jumps(data, num_axes=2)
    if not jumps.any():
        return data
    cuts = jumps.copy()
    cuts[data.starts[1:] - 1] = True
    keep = ~(cuts & np.append(True, cuts[:-1]) & (jumps | np.append(False, jumps[:-1])))
    numbers = np.arange(len(data)) if row_numbers is None else row_numbers
    first, number, left_out = int(np.argmax(jumps)), int(jumps.sum()), int((~keep).sum())
    note = (
        f"cut at {counted(number, 'impossible step')}, the first from row {numbers[first]} to row "
        f"{numbers[first + 1]} (an end of a trajectory without its flag, or rows that were taken out)"
    )
    if left_out:
        note += f"; left out {counted(left_out, 'row')} that no other continues"
    kept = {name: array[keep] for name, array in data.per_row().items()}
    return _cut(replace(data, **kept, notes=(*data.notes, note)), cuts[keep])


def _cut(data: Trajectories, cuts: np.ndarray) -> Trajectories:
    """End a trajectory at each of the rows, whose actions have no outcome on record then."""
    changed = {}
    for name in ("actions", "rewards"):
        if (values := getattr(data, name)) is not None:
            changed[name] = values.copy()
            changed[name][cuts] = 0
    return replace(data, starts=np.append(0, np.flatnonzero(cuts) + 1), last_actions=False, **changed)


def _jumps(places: np.ndarray, *, ends: np.ndarray) -> bool:
    """Tell whether the place moves four times as far across any of the ends as nine steps of ten do elsewhere."""
    distance = np.abs(np.diff(places, axis=0)).max(axis=1)
    across, within = distance[ends[:-1]], distance[~ends[:-1]]
    return bool(len(across) and len(within) and across.max() > 4 * np.quantile(within, 0.9))
