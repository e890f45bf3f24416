"""Writes trajectories as a LeRobot data set folder, version 3.0, from which they are read back as they were."""

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from dfplan.data.formats.lerobot import ACTION, EPISODE, EXTRA, FRAME, INFO, OWN, STATE, VERSION
from dfplan.errors import UserError
from dfplan.files import cannot_write
from dfplan.types import Trajectories

DATA_FILE = "chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
FIRST = {"chunk_index": 0, "file_index": 0}


def check_target(folder: Path, *, fps: float | None) -> Path:
    """Refuse a folder that is there already, and to write at all without pyarrow or the time of a step."""
    try:
        import pyarrow.parquet  # noqa: F401 - optional, and slow to import
    except ImportError as error:
        raise UserError("writing LeRobot data sets needs a package: pip install 'dfplan[lerobot]'") from error
    if folder.exists():
        raise UserError(f"{folder} is there already; choose another folder")
    if fps is None:
        raise UserError(f"nothing says how long a step takes, and LeRobot needs to know; give fps, to write {folder}")
    if not (isinstance(fps, int | float) and 0 < fps < float("inf")):
        raise UserError(f"fps must be a number of frames a second, above 0; got {fps!r}")
    return folder


def write(folder: Path, data: Trajectories, *, task: str, fps: float | None = None) -> Path:
    """Write a folder, whole or not at all; a frame for each row, so that a final observation is one without an action.

    Args:
        folder: a new one.
        data: with actions.
        task: what is done in all episodes, in words.
        fps: frames a second where ``data.step_seconds`` is None.

    Raises:
        UserError: pyarrow is not installed, the folder is there or cannot be written, there are no actions, or the time
            of a step is unknown.
    """
    rate = fps if data.step_seconds is None else 1 / data.step_seconds
    check_target(folder, fps=rate)
    assert rate is not None  # refused a line above
    from pyarrow import parquet

    if not data.actions.shape[1]:
        raise UserError(f"{data.source} has no actions, and a LeRobot data set needs some")
    if not data.observations.shape[1]:
        raise UserError(f"{data.source} observes no numbers, and a LeRobot data set needs some")
    columns = _columns(data, rate=rate)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
        try:
            for name, table in _tables(data, columns, task=task).items():
                (temporary / name).parent.mkdir(parents=True, exist_ok=True)
                parquet.write_table(table, temporary / name)
            (temporary / "meta" / "stats.json").write_text(json.dumps(_statistics(columns)))
            (temporary / INFO).write_text(json.dumps(_info(data, columns, rate=rate), indent=1))
            temporary.chmod(0o755)
            os.replace(temporary, folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    return folder


def _columns(data: Trajectories, *, rate: float) -> dict[str, np.ndarray]:
    """Every column of the frames by its name."""
    lengths = np.diff(data.starts)
    frames = np.arange(len(data)) - np.repeat(data.starts[:-1], lengths)
    columns = {STATE: data.observations, ACTION: data.actions}
    rows = data.per_row()
    columns |= {name: rows[ours] for name, ours in EXTRA.items() if ours in rows}
    if "terminations" in rows and "truncations" in rows:
        columns["next.done"] = rows["terminations"] | rows["truncations"]
    return columns | {
        "timestamp": (frames / rate).astype(np.float32),
        FRAME: frames,
        EPISODE: np.repeat(np.arange(len(lengths)), lengths),
        "index": np.arange(len(data)),
        "task_index": np.zeros(len(data), np.int64),
    }


def _tables(data: Trajectories, columns: dict[str, np.ndarray], *, task: str) -> dict[str, Any]:
    """The tables of frames, episodes and tasks, by the files they belong into."""
    import pyarrow as arrow

    episodes, lengths = len(data.starts) - 1, np.diff(data.starts)
    zeros = np.zeros(episodes, np.int64)
    described = {
        "episode_index": np.arange(episodes),
        "tasks": [[task]] * episodes,
        "length": lengths,
        "data/chunk_index": zeros,
        "data/file_index": zeros,
        "dataset_from_index": data.starts[:-1],
        "dataset_to_index": data.starts[1:],
        "meta/episodes/chunk_index": zeros,
        "meta/episodes/file_index": zeros,
    }
    tasks = arrow.table({"task_index": [0], "task": [task]})
    kinds = {"task_index": ("int64", "int64"), "task": ("unicode", "object")}
    pandas = {  # LeRobot reads it by pandas, with the task as index
        "index_columns": ["task"],
        "column_indexes": [],
        "columns": [
            {"name": name, "field_name": name, "pandas_type": kind, "numpy_type": numpy, "metadata": None}
            for name, (kind, numpy) in kinds.items()
        ],
        "pandas_version": "2.0.0",
    }
    return {
        f"data/{DATA_FILE.format(**FIRST)}": arrow.table({name: _array(each) for name, each in columns.items()}),
        f"meta/episodes/{DATA_FILE.format(**FIRST)}": arrow.table(described),
        "meta/tasks.parquet": tasks.replace_schema_metadata({"pandas": json.dumps(pandas)}),
    }


def _array(values: np.ndarray) -> Any:
    """A column of numbers, or of vectors where there is more than one number a row."""
    import pyarrow as arrow

    if values.ndim == 1 or values.shape[1] == 1:
        return arrow.array(values.reshape(-1))
    return arrow.FixedSizeListArray.from_arrays(arrow.array(values.reshape(-1)), values.shape[1])


def _statistics(columns: dict[str, np.ndarray]) -> dict[str, dict[str, list[float]]]:
    found = {}
    for name, values in columns.items():
        rows = values.reshape(len(values), -1).astype(np.float64)
        found[name] = {each: getattr(rows, each)(axis=0).tolist() for each in ("min", "max", "mean", "std")}
        found[name]["count"] = [len(rows)]
    return found


def _info(data: Trajectories, columns: dict[str, np.ndarray], *, rate: float) -> dict[str, Any]:
    names = {STATE: data.observation_names, ACTION: data.action_names}
    episodes = len(data.starts) - 1
    bounds = data.action_bounds
    return {
        "codebase_version": VERSION,
        "robot_type": None,
        "total_episodes": episodes,
        "total_frames": len(data),
        "total_tasks": 1,
        "chunks_size": 1000,
        "fps": int(rate) if rate == int(rate) else rate,
        "splits": {"train": f"0:{episodes}"},
        "data_path": f"data/{DATA_FILE}",
        "video_path": None,
        "features": {
            name: {
                "dtype": str(values.dtype),
                "shape": [1] if values.ndim == 1 else [values.shape[1]],
                "names": list(names.get(name, ())) or None,
            }
            for name, values in columns.items()
        },
        OWN: {
            "last_actions": data.last_actions,
            "step_seconds": data.step_seconds,
            "action_bounds": None if bounds is None else [bounds.low.tolist(), bounds.high.tolist()],
        },
    }
