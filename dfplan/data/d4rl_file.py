"""Datasets in D4RL's HDF5 layout: written whole, checked against a noted SHA-256, cut where rows do not continue."""

import hashlib
import io
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from dfplan.data.foreign_hdf5 import PARSE_ERRORS, check_size, open_arrays
from dfplan.data.jumps import cut_jumps
from dfplan.errors import UserError
from dfplan.files import write_whole
from dfplan.locks import is_written_elsewhere
from dfplan.types import Trajectories

# Readable by every HDF5 tool, a fifth smaller than D4RL's own files and written in half the time.
COMPRESSION: dict[str, Any] = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
TRUE_STATE_KEYS = ("infos/qpos", "infos/qvel")
MAIN_KEYS = ("observations", "actions")
END_KEYS = ("timeouts", "terminals")
REWARDS = "rewards"
BAD_REWARDS = "its rewards are left out, as not all of them are finite"
SIGNATURE = b"\x89HDF\r\n\x1a\n"
LOCKING = "best-effort"  # respect the locks of others, and do without on file systems that have none
HASH_BLOCK = 1 << 20
MAX_NOTE_LENGTH = 4096


def generated_file(cache_folder: Path, *, env_id: str) -> Path:
    """Where the generated dataset of an environment is kept."""
    return cache_folder / f"{env_id}.hdf5"


def write_d4rl(path: Path, arrays: Mapping[str, np.ndarray], *, metadata: Mapping[str, Any]) -> Path:
    """Write arrays as HDF5, whole or not at all, and note their SHA-256 in ``<name>.sha256`` beside the file.

    Args:
        path: the file; one that is there already is replaced once the new one is complete.
        arrays: by D4RL key, such as "observations" or "infos/qpos", all with the same number of rows but for those in
            ``dfplan/``, which are no part of the layout.
        metadata: JSON-ready values about the file's origin, kept as the attribute ``metadata``.

    Raises:
        UserError: the file cannot be written, such as with a full disk.
    """
    lengths = {key: len(value) for key, value in arrays.items() if not key.startswith("dfplan/")}
    if len(set(lengths.values())) != 1:
        raise ValueError(f"all arrays must have the same number of rows; got {lengths}")
    # HDF5 does not report a full disk reliably, so the file is made in memory and written as plain bytes.
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for key, value in arrays.items():
            file.create_dataset(key, data=value, **COMPRESSION)
        file.attrs["metadata"] = json.dumps(dict(metadata))
    content, before = buffer.getvalue(), _checksums_before(path)
    checksum = hashlib.sha256(content).hexdigest()
    # While the file changes, the note holds for the old one and for the new one.
    note_checksum(path, checksum, *before)
    try:
        write_whole(path, content)
    except UserError:
        with suppress(UserError):
            note_checksum(path, *before)
        raise
    note_checksum(path, checksum)
    return path


def _checksums_before(path: Path) -> list[str]:
    """What holds for the file that is there already: what was noted, or else what it is."""
    if not path.is_file():
        return []
    return _noted_checksums(path) or [hash_file(path)]


def read_d4rl(path: Path) -> Trajectories:
    """Read a D4RL file, and check it against its noted SHA-256 if there is one.

    With the true state in ``infos/qpos`` and ``infos/qvel``, rows continue across timeouts (maze2d's collector only
    draws a new goal there) unless the state jumps at one of them; then every timeout ends a trajectory. Without it,
    every timeout ends a trajectory, and a following row that merely repeats the one before (maze2d's stale
    observation) is left out. A terminal always ends a trajectory, and so does a step that is impossible (see
    :func:`dfplan.data.jumps.find_jumps`), of which a note tells.

    Raises:
        UserError: the file is missing, damaged, being written, or not such a dataset; names the file, the key and the
            fix.
    """
    with open_dataset(path) as (file, checksum):
        arrays = _read_arrays(file, path)
    _check_rows(arrays, path)
    return _join(arrays, source=str(path), checksum=checksum)


@contextmanager
def open_dataset(path: Path) -> Iterator[tuple[h5py.File, str]]:
    """Yield an HDF5 file, open for reading, and its SHA-256, which is checked against the noted one if there is one.

    Raises:
        UserError: the file is missing, damaged or being written; also for whatever reading it raises in the block.
    """
    if not path.is_file():
        raise UserError(
            f"no dataset at {path}; check the path, or make one with dfplan generate and train with data=generated"
        )
    try:
        if is_written_elsewhere(path) or _is_marked_open(path):
            raise _open_elsewhere(path)
        check_size(path)
        checksum = _check_against_note(path)
        with h5py.File(path, "r", locking=LOCKING) as file:
            yield file, checksum
    except PermissionError as error:
        raise UserError(f"no permission to read {path}; change it, or choose another file") from error
    except UserError:
        raise
    except (OSError, *PARSE_ERRORS) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> UserError:
    if isinstance(error, BlockingIOError):  # opened after we looked
        return _open_elsewhere(path)
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    if isinstance(error, MemoryError):
        return UserError(f"{path}: too little memory to read it ({reason}); free some, or use a smaller dataset")
    return UserError(
        f"{path} is not an HDF5 file, not written to its end, or damaged ({reason}); wait if a program is still "
        "writing it, else fetch or make it again"
    )


def _is_marked_open(path: Path) -> bool:
    """Tell whether the file is marked as open for writing, which stands in the superblock of HDF5 1.10 and later."""
    with path.open("rb") as file:
        start = file.read(12)
    return start.startswith(SIGNATURE + b"\x03") and bool(start[11:] and start[11] & 1)


def _open_elsewhere(path: Path) -> UserError:
    return UserError(
        f"{path}: another program has it open for writing; run again once that has closed it (after a crash of that "
        "program `h5clear -s` takes its mark off the file)"
    )


def read_metadata(path: Path) -> dict[str, Any]:
    """Return what `write_d4rl` was told about the file; empty for a file of other origin or no readable one."""
    try:
        with h5py.File(path, "r", locking=LOCKING) as file:
            metadata = json.loads(str(file.attrs.get("metadata", "{}")))
    except (OSError, *PARSE_ERRORS):
        return {}
    return metadata if isinstance(metadata, dict) else {}


def hash_file(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(HASH_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def note_checksum(path: Path, *checksums: str) -> None:
    """Note beside the file what its checksum may be, in the format that the command ``sha256sum --check`` reads."""
    if checksums:
        write_whole(note_file(path), os.fsencode("".join(f"{each}  {path.name}\n" for each in checksums)))
    else:
        note_file(path).unlink(missing_ok=True)


def note_file(path: Path) -> Path:
    """Where the SHA-256 of a dataset is noted."""
    return path.with_name(f"{path.name}.sha256")


def _noted_checksums(path: Path) -> list[str]:
    """The checksums noted beside a file; empty where there is no note."""
    note = note_file(path)
    if not note.is_file():
        return []
    with note.open(errors="replace") as file:
        return [line.partition(" ")[0].strip() for line in file.read(MAX_NOTE_LENGTH).splitlines()] or [""]


def _check_against_note(path: Path) -> str:
    """Return the file's SHA-256; raise if another one was noted."""
    checksum, noted = hash_file(path), _noted_checksums(path)
    if noted and checksum not in noted:
        raise UserError(
            f"{path} is damaged or was changed: its SHA-256 begins {checksum[:12]}, noted was {noted[0][:12]} in "
            f"{note_file(path).name}; fetch or make the dataset again, or take the note away if the change was meant"
        )
    return checksum


def _read_arrays(file: h5py.File, path: Path) -> dict[str, np.ndarray]:
    """Read the keys that matter, each with its dtype and number of dimensions checked."""
    found = open_arrays(file, [*MAIN_KEYS, *TRUE_STATE_KEYS, *END_KEYS, REWARDS], path=path)
    rewards = found.pop(REWARDS, None)
    for key in MAIN_KEYS:
        if key not in found:
            raise UserError(f"{path} has no dataset {key!r}, only {', '.join(file) or 'nothing'}; is it a D4RL file?")
    arrays = {
        key: _read_array(data, key, path, ndim=1, kinds="bui")
        if key in END_KEYS
        else _read_array(data, key, path, ndim=2, kinds="f")
        for key, data in found.items()
    }
    if "timeouts" not in arrays and not _holds_true_state(arrays):
        raise UserError(
            f"{path} has neither timeouts nor the true state in infos/qpos and infos/qvel, so where its trajectories "
            "end is unknown; use a newer version of the dataset, or add the key timeouts"
        )
    # Rewards there follow from its goals, so a file without good ones will do.
    if rewards is not None and rewards.shape == arrays["observations"].shape[:1] and rewards.dtype.kind in "bfiu":
        arrays[REWARDS] = rewards[()].astype(np.float32)
    return arrays


def _read_array(data: h5py.Dataset, key: str, path: Path, *, ndim: int, kinds: str) -> np.ndarray:
    if data.ndim != ndim or data.dtype.kind not in kinds or 0 in data.shape[1:]:
        kind = "floating-point" if "f" in kinds else "boolean"
        raise UserError(
            f"{path}: {key} must be {kind} with {ndim} dimensions, none of length 0; got {data.dtype} "
            f"of shape {data.shape}; convert it to D4RL's layout"
        )
    if "f" in kinds:
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused as that
            return data[()].astype(np.float32, copy=False)
    flags = data[()]
    if not np.isin(flags, (0, 1)).all():
        raise UserError(f"{path}: {key} must be boolean, or 0 and 1; got {flags.min()} to {flags.max()}; mend the key")
    return flags.astype(bool)


def _check_rows(arrays: Mapping[str, np.ndarray], path: Path) -> None:
    """Refuse arrays of different length, empty ones, and rows that are not finite."""
    lengths = {key: len(value) for key, value in arrays.items()}
    if len(set(lengths.values())) != 1 or not lengths["observations"]:
        raise UserError(f"{path}: all keys must have the same number of rows, at least one; got {lengths}")
    for key, value in arrays.items():
        if key == REWARDS or np.isfinite(value).all():
            continue
        bad = np.flatnonzero(~np.isfinite(value).all(axis=-1))
        raise UserError(
            f"{path}: {key} has {len(bad)} rows with NaN or infinity, the first is row {bad[0]} (what single precision "
            "cannot hold counts as infinite); take these rows out of every key, or fetch or make the dataset again"
        )


def _join(arrays: Mapping[str, np.ndarray], *, source: str, checksum: str) -> Trajectories:
    """Lay out rows by the contract of `Trajectories`: true states, cut wherever the next row does not follow."""
    observations, actions = arrays["observations"], arrays["actions"].copy()
    no_flags = np.zeros(len(observations), bool)
    timeouts, terminals = arrays.get("timeouts", no_flags), arrays.get("terminals", no_flags)
    keep = ~no_flags
    if _holds_true_state(arrays):
        observations = np.concatenate([arrays[key] for key in TRUE_STATE_KEYS], axis=1)
        cuts = terminals | timeouts if _jumps(arrays["infos/qpos"], ends=timeouts) else terminals.copy()
    else:
        cuts = terminals | timeouts
        keep[1:] = ~(cuts[:-1] & (observations[1:] == observations[:-1]).all(axis=1))
        cuts = cuts[keep]
    cuts[-1] = True
    actions = actions[keep]
    actions[cuts] = 0  # their outcome is not on record
    rewards = arrays[REWARDS][keep] if REWARDS in arrays else np.full(len(actions), np.nan)
    rewards[cuts] = 0
    has_rewards = REWARDS in arrays and bool(np.isfinite(rewards).all())
    trajectories = Trajectories(
        observations=observations[keep],
        actions=actions,
        starts=np.concatenate([[0], np.flatnonzero(cuts) + 1]),
        segment_ends=timeouts[keep],
        source=source,
        checksum=checksum,
        notes=(BAD_REWARDS,) if REWARDS in arrays and not has_rewards else (),
        rewards=rewards if has_rewards else None,
        terminations=terminals[keep] if "terminals" in arrays else None,
        truncations=timeouts[keep] if "timeouts" in arrays else None,
    )
    return cut_jumps(trajectories, row_numbers=np.flatnonzero(keep))


def _holds_true_state(arrays: Mapping[str, np.ndarray]) -> bool:
    """Tell whether ``infos`` hold exactly what is observed (other D4RL tasks observe less or more than that)."""
    if not all(key in arrays for key in TRUE_STATE_KEYS):
        return False
    return sum(arrays[key].shape[1] for key in TRUE_STATE_KEYS) == arrays["observations"].shape[1]


def _jumps(places: np.ndarray, *, ends: np.ndarray) -> bool:
    """Tell whether the place moves four times as far across any of the ends as nine steps of ten do elsewhere."""
    distance = np.abs(np.diff(places, axis=0)).max(axis=1)
    across, within = distance[ends[:-1]], distance[~ends[:-1]]
    return bool(len(across) and len(within) and across.max() > 4 * np.quantile(within, 0.9))
