"""Lays arrays of any origin out as `Trajectories`: flattened by name, checked row by row, with final observations."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import NoneType
from typing import Any

import numpy as np

from dfplan import blocks
from dfplan.arrays import as_number, dimension_names, named_parts
from dfplan.blocks import Column, rows_of, rows_where, slices, stacked
from dfplan.errors import UserError, check_kind, counted
from dfplan.types import Bounds, Trajectories

MAX_BYTES = 8 * 2**30
KEPT_AT_FINALS = ("goals", "achieved_goals")  # of the step before, as what is wanted stays
FLAGS = ("segment_ends", "terminations", "truncations")
NUM_NAMED = 10  # dimensions, in a note


def check_bytes(declared: int, *, source: str) -> None:
    """Refuse arrays that are too large to be read, before any of them is.

    Raises:
        UserError: they are; says how large.
    """
    if declared > MAX_BYTES:
        raise UserError(f"{source} holds {declared:,} bytes of arrays, and at most {MAX_BYTES:,} are read; split it")


def vectors(array: np.ndarray, *, name: str, source: str) -> np.ndarray:
    """Numbers of any kind and shape ``(rows, ...)`` as ``(rows, dim)`` float32; what that cannot hold is infinite.

    What is mapped stays so, or is mapped anew where it has to be converted.

    Raises:
        UserError: they are no numbers.
    """
    if array.dtype.kind not in "fiub" or not array.ndim:
        raise UserError(f"{source}: {name} must be rows of numbers; got {array.dtype} of shape {list(array.shape)}")
    flat = array.reshape(len(array), int(np.prod(array.shape[1:])))
    if flat.dtype == np.float32 and flat.flags.c_contiguous:
        return flat
    with np.errstate(over="ignore"):
        if (
            flat.nbytes <= blocks.BLOCK_BYTES
        ):  # before it is asked how much memory is left, which takes as long as an episode
            return np.ascontiguousarray(flat, np.float32)
        return stacked(np.ascontiguousarray(flat[rows]).astype(np.float32, copy=False) for rows in rows_of(flat))


def numbers(array: np.ndarray, *, name: str, source: str) -> np.ndarray:
    """One number a row ``(rows,)`` float32, of ``(rows,)`` or ``(rows, 1)``.

    Raises:
        UserError: they are no numbers, or several a row.
    """
    flat = vectors(array, name=name, source=source)
    if flat.shape[1] != 1:
        raise UserError(f"{source}: {name} must be one number a row; got shape {list(array.shape)}; keep the one meant")
    return flat[:, 0]


def flags(array: np.ndarray, *, name: str, source: str) -> np.ndarray:
    """Yes or no for each row, ``(rows,)`` bool, of what :func:`numbers` takes.

    Raises:
        UserError: they are something else than 0 and 1; names the row.
    """
    if array.dtype == bool and array.ndim == 1:
        return array
    values = numbers(array, name=name, source=source)
    if len(wrong := rows_where(lambda block: ~np.isin(block, (0, 1)), values)):
        raise UserError(f"{source}, row {wrong[0]}: {name} must be 0 or 1; got {values[wrong[0]]:g}; mend it")
    return values.astype(bool)


def flattened(entries: Mapping[str, Any], *, source: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Put named arrays ``(rows, ...)`` side by side, in the alphabetical order of their names; dicts of them likewise.

    Returns:
        ``(rows, dim)`` float32, and a name for each dimension: that of the entry, and behind a point which number of it
        where it has more than one.

    Raises:
        UserError: there are none, or not all of them have as many rows.
    """
    arrays = {name: np.asarray(each) for name, each in named_parts(entries)}
    parts = {name: vectors(array, name=name, source=source) for name, array in arrays.items()}
    lengths = {name: len(part) for name, part in parts.items()}
    if len(set(lengths.values())) != 1:
        raise UserError(f"{source}: all parts must have the same number of rows; got {lengths or 'none'}")
    names = dimension_names({name: part.shape[1] for name, part in parts.items()})
    only, *others = parts.values()
    if others:
        blocks = slices(len(only), 4 * len(names))
        only = stacked(np.concatenate([each[rows] for each in parts.values()], axis=1) for rows in blocks)
    return only, names


def joined(blocks: Iterable[Mapping[str, np.ndarray]], *, source: str) -> dict[str, np.ndarray]:
    """Arrays by name that come in blocks of rows, each below each other; mapped where they are large.

    Raises:
        UserError: rows of one block are longer than those of another, or they cannot be written to the cache folder.
    """
    columns: dict[str, Column] = {}
    widths: dict[str, tuple[int, ...]] = {}
    for block in blocks:
        columns = columns or {name: Column() for name in block}
        for name, column in columns.items():
            if widths.setdefault(name, block[name].shape[1:]) != block[name].shape[1:]:
                raise UserError(f"{source}: {name} must be as long in all rows; record the data set again")
            column.append(block[name])
    return {name: column.array() for name, column in columns.items()}


def lay_out(
    steps: Mapping[str, np.ndarray],
    *,
    ends: np.ndarray,
    source: str,
    finals: np.ndarray | None = None,
    notes: tuple[str, ...] = (),
    **facts: Any,
) -> Trajectories:
    """Build trajectories from what was recorded at every step.

    Args:
        steps: ``observations`` and ``actions`` ``(steps, dim)``, and any other arrays per row of `Trajectories`.
        ends: ``(episodes,)``, the step behind the last one of each episode.
        source: for the record, and to begin messages with.
        finals: ``(episodes, observation_dim)``, the observation behind the last step of each; None where the last
            action's outcome is not on record.
        notes: what reading left out.
        facts: further attributes of `Trajectories`.

    Raises:
        UserError: arrays differ in length, episodes are empty, or something is not finite; names the episode and the
            row in it.
    """
    starts = check_ends(ends, num_steps=len(steps["observations"]), source=source)
    for name, values in steps.items():
        if len(values) != starts[-1]:
            raise UserError(f"{source}: {name} has {len(values)} rows and observations {starts[-1]}; mend the data set")
        check_finite(values, name=name, starts=starts, source=source)
    arrays: dict[str, np.ndarray] = {"segment_ends": np.zeros(starts[-1], bool), **steps}
    if finals is not None:
        if finals.shape != (len(starts) - 1, steps["observations"].shape[1]):
            raise UserError(
                f"{source}: next observations must be as many and as long as observations; mend the data set"
            )
        check_finite(finals, name="final observations", starts=np.arange(len(finals) + 1), source=source)
        starts = starts + np.arange(len(starts))
        arrays = _with_finals(arrays, finals, starts)
    data = Trajectories(**arrays, starts=starts, source=source, last_actions=finals is None, notes=notes, **facts)
    return _with_note_of_constants(data)


def _with_finals(arrays: Mapping[str, np.ndarray], finals: np.ndarray, starts: np.ndarray) -> dict[str, np.ndarray]:
    """Arrays per step with a row more behind each episode, of which ``starts`` tells where they begin then."""
    columns = {name: Column() for name in arrays}
    for rows in slices(int(starts[-1]), sum(each.nbytes for each in arrays.values()) / starts[-1]):
        first, behind = np.searchsorted(starts[1:] - 1, [rows.start, rows.stop])
        last = starts[first + 1 : behind + 1] - 1 - rows.start
        taken = np.zeros(rows.stop - rows.start, np.int64)
        taken[last] = 1
        taken = np.arange(rows.start - first, rows.stop - first) - np.cumsum(taken)  # the last step is there twice
        for name, values in arrays.items():
            block = np.asarray(values).take(taken, axis=0)
            if name == "observations":
                block[last] = finals[first:behind]
            elif name not in KEPT_AT_FINALS:
                block[last] = 0  # nothing is done there
            columns[name].append(block)
    return {name: column.array() for name, column in columns.items()}


def checked(data: Trajectories) -> Trajectories:
    """Trajectories that anybody put together, as a reader would give them: in single precision, flags as bool.

    Raises:
        UserError: they do not fit together, or something is not finite; names it.
    """
    source, needed = data.source, ("observations", "actions", "segment_ends", "starts")
    if missing := [name for name in needed if getattr(data, name) is None]:
        raise UserError(f"{source} has no {missing[0]}; trajectories need {', '.join(needed)}")
    values = {name: _typed(name, np.asarray(each), source) for name, each in data.per_row().items()}
    given = np.asarray(data.starts).reshape(-1)
    starts = check_ends(given[1:], num_steps=len(values["observations"]), source=source)
    if given[:1] != 0:
        raise UserError(f"{source}: starts must begin with 0; got {given[:3].tolist()}")
    check_kind((Mapping, NoneType), such_as="frames by the names of cameras, or None", pictures=data.pictures)
    for name, each in {**values, **(data.pictures or {})}.items():
        if len(each) != starts[-1]:
            raise UserError(f"{source}: {name} has {len(each)} rows and observations {starts[-1]}; mend the data set")
    for name, each in values.items():
        check_finite(each, name=name, starts=starts, source=source)
    return _with_checked_facts(replace(data, **values, starts=starts))


def _with_checked_facts(data: Trajectories) -> Trajectories:
    source, sizes = data.source, {"observation": data.observations.shape[1], "action": data.actions.shape[1]}
    names = {name: getattr(data, name) for name in ("observation_names", "action_names", "notes")}
    check_kind((tuple, list), such_as="a tuple of texts", **names)
    check_kind(str, such_as="a text", source=source, checksum=data.checksum)
    check_kind((bool, np.bool_), such_as="True or False", last_actions=data.last_actions)
    check_kind((Bounds, NoneType), such_as="dfplan.types.Bounds(low, high), or None", action_bounds=data.action_bounds)
    for name, size in sizes.items():
        if len(given := getattr(data, f"{name}_names")) not in (0, size):
            raise UserError(f"{source}: {name}_names must name all {size} numbers of one, or be (); got {len(given)}")
    if data.step_seconds is not None and not 0 < as_number(data.step_seconds) < np.inf:
        raise UserError(f"{source}: step_seconds must be above 0, or None; got {data.step_seconds!r:.60}")
    if (bounds := data.action_bounds) is None:
        return data
    low, high = (np.asarray(each, np.float32) for each in (bounds.low, bounds.high))
    if not low.shape == high.shape == (sizes["action"],) or not (low <= high).all():
        raise UserError(
            f"{source}: action_bounds must be a low and a high number for each of an action; got {low} and {high}"
        )
    return replace(data, action_bounds=Bounds(low, high))


def _typed(name: str, values: np.ndarray, source: str) -> np.ndarray:
    kind = flags if name in FLAGS else numbers if name == "rewards" else vectors
    return kind(values, name=name, source=source)


def check_ends(ends: np.ndarray, *, num_steps: int, source: str) -> np.ndarray:
    """Return where episodes start, and behind them where the last one ends, ``(episodes + 1,)`` int64.

    Raises:
        UserError: there are no steps, or the ends do not rise from above 0 to the number of them.
    """
    if not num_steps:
        raise UserError(f"{source} has no rows; record the data set again, or choose another")
    ends = np.asarray(ends).reshape(-1)
    if ends.dtype.kind not in "fiu" or not (np.isfinite(ends) & (ends == np.floor(ends))).all():
        raise UserError(f"{source}: rows at which episodes end must be whole numbers; mend them")
    starts = np.concatenate([[0], ends]).astype(np.int64)
    wrong = np.flatnonzero(np.diff(starts) <= 0)
    if len(wrong):
        raise UserError(
            f"{source}: episode {wrong[0]} ends at row {starts[wrong[0] + 1]} but starts at row {starts[wrong[0]]}; "
            "take it out, or mend where it ends"
        )
    if len(starts) < 2 or starts[-1] != num_steps:
        raise UserError(
            f"{source}: its {len(starts) - 1} episodes end at row {starts[-1]}, and it has {num_steps} rows; mend "
            "where they end"
        )
    return starts


def place(row: int, starts: np.ndarray) -> str:
    """Name a row by its episode and its number in it."""
    episode = int(np.searchsorted(starts, row, side="right")) - 1
    return f"episode {episode}, row {row - starts[episode]}"


def check_finite(values: np.ndarray, *, name: str, source: str, starts: np.ndarray | None = None) -> None:
    """Refuse values that are NaN or infinite.

    Raises:
        UserError: some are; names the row, and the episode where it is told where these start.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(values.sum()):  # which is quicker, and finite only where all are
            return
    bad = rows_where(lambda block: ~np.isfinite(block).all(axis=1), values.reshape(len(values), -1))
    if not len(bad):
        return
    where = f"row {bad[0]}" if starts is None else place(int(bad[0]), starts)
    raise UserError(
        f"{source}, {where}: {name} has NaN or infinity, one of {counted(len(bad), 'row')} (what "
        "single precision cannot hold counts as infinite); take these out, or record the data set again"
    )


def _with_note_of_constants(data: Trajectories) -> Trajectories:
    """Say which dimensions never vary; they are kept."""
    constant = np.flatnonzero(data.constant_dimensions())
    if not len(constant) or len(data) < 2:
        return data
    names = [data.observation_names[index] if data.observation_names else str(index) for index in constant[:NUM_NAMED]]
    more = ", ..." if len(constant) > NUM_NAMED else ""
    note = f"{len(constant)} of {data.observations.shape[1]} observed dimensions never vary: {', '.join(names)}{more}"
    return replace(data, notes=(*data.notes, note))
