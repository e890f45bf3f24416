"""HDF5 files, as of D4RL: written whole, opened with care, checked against a noted SHA-256."""

import hashlib
import io
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from dfplan.data.foreign_hdf5 import PARSE_ERRORS, check_size
from dfplan.errors import UserError
from dfplan.files import write_whole
from dfplan.locks import is_written_elsewhere

if TYPE_CHECKING:
    from dfplan.types import Trajectories

# Readable by every HDF5 tool, a fifth smaller than D4RL's own files and written in half the time.
COMPRESSION: dict[str, Any] = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
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


@contextmanager
def open_dataset(path: Path) -> Iterator[tuple[h5py.File, str]]:
    """Yield an HDF5 file, open for reading, and its SHA-256, which is checked against the noted one if there is one.

    Raises:
        UserError: the file is missing, damaged or being written; also for whatever reading it raises in the block.
    """
    if not path.is_file():
        raise UserError(
            f"no dataset at {path}; check the path, or make one with `dfplan generate`, where the environment has a way"
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


def read_d4rl(path: Path) -> "Trajectories":
    """What :func:`dfplan.domains.maze.recorded.read_recorded` was called: scripts from then still find it."""
    from dfplan.domains.maze.recorded import read_recorded

    return read_recorded(path)
