"""LeRobot's data set folders, version 3.0, without LeRobot: parquet files and their description in JSON."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dfplan.blocks import is_large, rows_where
from dfplan.data.formats.layout import check_bytes, flags, flattened, joined, lay_out, numbers, place, vectors
from dfplan.errors import UserError
from dfplan.files import read_small
from dfplan.types import Bounds, Trajectories

INFO, VERSION = "meta/info.json", "v3.0"
MAX_INFO = 16 * 2**20
STATE, ACTION, EPISODE, FRAME = "observation.state", "action", "episode_index", "frame_index"
TIME = "timestamp"
ROWS_AT_ONCE = 2**16
LONGEST_GAP = 1.5  # frames between two time stamps
FLAGS = {"next.terminated": "terminations", "next.truncated": "truncations"}
GOALS = {"goal": "goals", "achieved_goal": "achieved_goals"}
# Columns beside state and action, and what they are in `Trajectories`.
EXTRA = {"next.reward": "rewards", **FLAGS, **GOALS, "segment_end": "segment_ends"}
OWN = "dfplan"  # what the description says besides, where it was written here
NUMBERS = ("float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool")


def read(path: str | Path) -> Trajectories:
    """Read a data set; everything observed that is a vector is flattened by name, images and videos are left out.

    Without ``next.terminated`` and ``next.truncated`` (LeRobot's own have ``next.done`` and ``next.success``), an
    episode that ends with success is terminated, and any other one truncated; without success, neither is known.

    Raises:
        UserError: pyarrow is not installed, or the folder is damaged or has another layout; names the file, or episode
            and row.
    """
    path = Path(path)
    info = _read_info(path)
    features = info["features"]
    numbers = {name for name, each in features.items() if each.get("dtype") in NUMBERS}
    entries = sorted(name for name in numbers if name.startswith("observation."))
    if ACTION not in numbers or not entries:
        raise UserError(
            f"{path / INFO} describes no {ACTION}, or no vector that is observed; got {', '.join(features)}"
        )
    extra = [name for name in (TIME, "next.done", "next.success", *EXTRA) if name in numbers]
    columns = _read_columns(path, [EPISODE, FRAME, ACTION, *entries, *extra])
    if (wanted := info.get("total_frames", len(columns[FRAME]))) != len(columns[FRAME]):
        raise UserError(f"{path} has {len(columns[FRAME])} rows, and {INFO} says {wanted}: files are missing; get them")
    ends = _ends(columns.pop(EPISODE), columns.pop(FRAME), path)
    if TIME in columns:
        _check_times(columns.pop(TIME), ends, fps=info["fps"], path=path)
    observations, names = flattened({name: columns[name] for name in entries}, source=str(path))
    if entries == [STATE]:
        names = _names(features[STATE], size=observations.shape[1])
    actions = vectors(columns[ACTION], name=ACTION, source=str(path))
    left_out = [name for name in features if name.startswith("observation.") and name not in entries]
    data = lay_out(
        {
            "observations": observations,
            "actions": actions,
            **_outcomes(columns, ends, str(path)),
            **_goals(columns, str(path)),
        },
        ends=ends,
        source=str(path),
        notes=(f"images are left out: {', '.join(left_out)}",) if left_out else (),
        step_seconds=1 / info["fps"],
        observation_names=names,
        action_names=_names(features[ACTION], size=actions.shape[1]),
    )
    return _with_own_facts(data, info.get(OWN), file=path / INFO)


def _with_own_facts(data: Trajectories, facts: Any, *, file: Path) -> Trajectories:
    """What LeRobot's description has no words for, where dfplan wrote it."""
    if facts is None:
        return data
    try:
        bounds = facts["action_bounds"]
        if bounds is not None:
            low, high = (np.array(each, np.float32).reshape(data.actions.shape[1]) for each in bounds)
            bounds = Bounds(low, high)
        seconds = facts["step_seconds"]
        return replace(
            data,
            last_actions=bool(facts["last_actions"]),
            action_bounds=bounds,
            step_seconds=None if seconds is None else float(seconds),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise UserError(f"{file}: its entry {OWN} cannot be read ({str(error)[:100]}); take it out") from error


def _read_info(path: Path) -> dict[str, Any]:
    file = path / INFO
    try:
        info = json.loads(read_small(file, at_most=MAX_INFO))
        version, features, fps = info["codebase_version"], info["features"], float(info["fps"])
        described = all(isinstance(each, dict) for each in features.values())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"{file} is no description of a LeRobot data set ({str(error)[:100]}); get it again") from error
    if version != VERSION:
        raise UserError(
            f"{path} is a LeRobot data set of version {version}; convert it to {VERSION} with LeRobot's script"
        )
    if not (described and 0 < fps < float("inf")):
        raise UserError(f"{file}: features must be described and fps above 0; got fps {info['fps']}")
    return info


def _read_columns(path: Path, names: list[str]) -> dict[str, np.ndarray]:
    """Read columns of all files in their order, each as ``(rows, ...)``."""
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet  # optional, and slow to import
    except ImportError as error:
        raise UserError("reading LeRobot data sets needs a package: pip install 'dfplan[lerobot]'") from error
    files = sorted((path / "data").glob("chunk-*/file-*.parquet"))
    if not files:
        raise UserError(f"{path} has no data/chunk-*/file-*.parquet; get the data set again")
    try:
        declared = 0
        for file in files:
            with parquet.ParquetFile(file) as opened:
                groups = [opened.metadata.row_group(index) for index in range(opened.num_row_groups)]
                declared += sum(each.total_byte_size for each in groups)
                check_bytes(declared, source=str(path))
                present = opened.schema_arrow.names
                if missing := [name for name in names if name not in present]:
                    raise UserError(
                        f"{file} has no column {missing[0]}, which {INFO} describes; get the data set again"
                    )
        tables = _tables(files, names, large=is_large(declared))
        blocks = ({name: _column(each.column(name), name, path) for name in names} for each in tables)
        return joined(blocks, source=str(path))
    except (arrow.ArrowException, OSError) as error:
        raise UserError(f"{path}: damaged ({' '.join(str(error).split())[:150]}); get the data set again") from error


def _tables(files: list[Path], names: list[str], *, large: bool) -> Iterator[Any]:
    """All rows in one table, or, where these are large, some rows of a file after the other."""
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    if not large:
        yield arrow.concat_tables(parquet.ParquetFile(file).read(columns=names) for file in files)
        return
    for file in files:
        with parquet.ParquetFile(file, pre_buffer=False, memory_map=True) as opened:
            yield from (arrow.Table.from_batches([each]) for each in opened.iter_batches(ROWS_AT_ONCE, columns=names))


def _column(column: Any, name: str, path: Path) -> np.ndarray:
    """A column of numbers ``(rows,)``, or of vectors of one length ``(rows, dim)``."""
    if column.null_count:
        raise UserError(f"{path}: column {name} has {column.null_count} rows without a value; record them again")
    whole = column.combine_chunks()
    flat, rows = whole, len(whole)
    while hasattr(flat.type, "value_type") and hasattr(flat, "flatten"):  # of vectors, or of rows of them
        if hasattr(flat, "offsets") and len(flat):
            lengths = np.diff(flat.offsets.to_numpy())
            if (lengths != lengths[0]).any():
                wrong = int(np.argmax(lengths != lengths[0]))
                row = wrong * rows // len(flat)
                raise UserError(
                    f"{path}, row {row}: {name} has {lengths[wrong]} numbers, and {lengths[0]} before; mend it"
                )
        flat = flat.flatten()
    values = flat.to_numpy(zero_copy_only=False)
    return values if flat is whole else values.reshape(rows, -1)


def _ends(episodes: np.ndarray, frames: np.ndarray, path: Path) -> np.ndarray:
    """Where episodes end; frames must count from 0 in each."""
    if not len(episodes):
        raise UserError(f"{path} has no rows; get the data set again")
    ends = np.append(rows_where(np.not_equal, episodes[1:], episodes[:-1]) + 1, len(episodes))
    starts = np.append(0, ends[:-1])
    first = rows_where(lambda block: block == 0, frames)
    wrong = rows_where(lambda now, before: (now != before + 1) & (now != 0), frames[1:], frames[:-1]) + 1
    wrong = np.concatenate([wrong, np.setxor1d(first, starts)])
    if len(wrong):
        row = int(wrong.min())
        begin = int(starts[np.searchsorted(starts, row, side="right") - 1])
        raise UserError(
            f"{path}, episode {episodes[row]}, row {row - begin}: {FRAME} is {frames[row]}, so rows are missing or out "
            "of order; get the data set again"
        )
    if len(np.unique(episodes[starts])) != len(ends):
        raise UserError(f"{path}: rows of an episode do not lie together; get the data set again")
    return ends


def _check_times(times: np.ndarray, ends: np.ndarray, *, fps: float, path: Path) -> None:
    """Refuse time stamps between which there is more than a frame, or that do not rise."""

    def is_wrong(before: np.ndarray, after: np.ndarray) -> np.ndarray:
        apart = after.reshape(-1).astype(np.float64) - before.reshape(-1)
        return ~((apart > 0) & (apart < LONGEST_GAP / fps))

    wrong = np.setdiff1d(rows_where(is_wrong, times[:-1], times[1:]), ends[:-1] - 1)
    if len(wrong):
        row = int(wrong[0])
        apart = float(times[row + 1].item()) - float(times[row].item())
        raise UserError(
            f"{path}, {place(row, np.append(0, ends))}: {TIME} goes on by {apart:.4g} s, and a frame takes "
            f"{1 / fps:.4g} s; so it does at {len(wrong)} rows: frames are missing, end the episode there, or mend fps"
        )


def _outcomes(columns: dict[str, np.ndarray], ends: np.ndarray, source: str) -> dict[str, np.ndarray]:
    """Rewards and flags, as far as they are recorded."""
    found: dict[str, np.ndarray] = {}
    for name, ours in {**FLAGS, "segment_end": "segment_ends"}.items():
        if name in columns:
            found[ours] = flags(columns[name], name=name, source=source)
    if not found.keys() & set(FLAGS.values()) and {"next.done", "next.success"} <= columns.keys():
        last = np.zeros(len(columns["next.success"]), bool)
        last[ends - 1] = True
        success = flags(columns["next.success"], name="next.success", source=source)
        found |= {"terminations": last & success, "truncations": last & ~success}
    if "next.reward" in columns:
        found["rewards"] = numbers(columns["next.reward"], name="next.reward", source=source)
    return found


def _goals(columns: dict[str, np.ndarray], source: str) -> dict[str, np.ndarray]:
    return {ours: vectors(columns[name], name=name, source=source) for name, ours in GOALS.items() if name in columns}


def _names(feature: dict[str, Any], *, size: int) -> tuple[str, ...]:
    """The names of a vector's dimensions, () where there are none: a list, or lists by kind."""
    names = feature.get("names")
    if isinstance(names, dict):
        names = [each for group in names.values() if isinstance(group, list) for each in group]
    fits = isinstance(names, list) and len(names) == size
    return tuple(map(str, names)) if fits and names is not None else ()
