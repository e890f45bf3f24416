"""Files that are written whole or not at all, and JSON that carries its own SHA-256."""

import errno
import glob
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from dfplan.errors import UserError
from dfplan.locks import lock

NOT_OFFERED = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}  # what fsync says where there is none


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write to; once the block ends well, the file written there takes the place of `path`.

    Whatever goes wrong, an existing file at `path` stays as it is and the temporary one is removed. The temporary file
    lies in the same folder (a rename is atomic only within one file system) and has the same ending (which some
    writers read the format from). What killed processes left of earlier attempts at `path` is removed first. What a
    file system does not offer (locks, permissions, syncing of folders) is done without.

    Raises:
        UserError: the file cannot be written (no permission, no such disk, disk full).
    """
    temporary, descriptor = None, None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_temporaries(path)
        temporary, descriptor = _locked_temporary(path)
        with suppress(OSError):  # exFAT, CIFS and some FUSE file systems know no permissions
            temporary.chmod(0o666 & ~_umask())  # mkstemp makes files that only their owner may read
        yield temporary
        sync_file(temporary)
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        if temporary is not None:
            with suppress(OSError):  # a disk that fails; the next attempt removes it
                temporary.unlink(missing_ok=True)
        if descriptor is not None:
            os.close(descriptor)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that `path` holds either all of the new content or what it held before, even after a crash.

    Raises:
        UserError: it cannot be written.
    """
    with written_whole(path) as temporary:
        temporary.write_bytes(content)


def user_path(path: str | Path) -> Path:
    """The path with the home folder in place of a leading ``~``.

    Raises:
        UserError: there is none, as in a container whose user has no entry in the password file; it is no path, or one
            that the system cannot look up: too long, or in a folder that may not be read.
    """
    try:
        found = Path(path).expanduser()
        found.exists()
    except RuntimeError as error:
        raise UserError(f"{path}: no home folder is known that ~ could mean; write the path out") from error
    except TypeError as error:
        raise UserError(f"a path must be a text or pathlib.Path; got {path!r:.100}") from error
    except OSError as error:
        raise UserError(f"{str(path)[:300]}: {error.strerror or error}; give another path") from error
    return found


def cache_folder() -> Path:
    """What can be made or fetched again: ``$DFPLAN_CACHE``, else the user's cache folder.

    Raises:
        UserError: there is neither.
    """
    try:
        if named := os.environ.get("DFPLAN_CACHE"):
            return user_path(named)
        return user_path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "dfplan"
    except UserError as error:
        raise UserError("no home folder to keep datasets in; name a folder: DFPLAN_CACHE=<folder>") from error


def read_small(path: Path, *, at_most: int) -> bytes:
    """Return what is in a file that anybody may have made, without waiting for a pipe or filling the memory.

    Raises:
        UserError: it is no regular file, is larger than ``at_most`` bytes, or cannot be read.
    """
    try:
        if not path.is_file():
            raise UserError(f"{path}: no such file, or a special one")
        with path.open("rb") as file:
            content = file.read(at_most + 1)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
    if len(content) > at_most:
        raise UserError(f"{path}: larger than {at_most:,} bytes, which no honest file of its kind is")
    return content


def remove_temporaries(path: Path) -> None:
    """Remove what processes that were killed while they wrote `path` have left behind, as far as that is possible.

    A temporary file that a living process writes is locked, and stays; where there are no locks, all stay.
    """
    for stray in path.parent.glob(f".{glob.escape(path.stem)}-*.tmp{path.suffix}"):
        with suppress(OSError):
            descriptor = os.open(stray, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
            try:
                if lock(descriptor):
                    stray.unlink()
            finally:
                os.close(descriptor)


def sync_file(path: Path) -> None:
    """Have the content of a file on the disk, where the file system offers that.

    Raises:
        OSError: the disk could not take it.
    """
    with path.open("rb+") as file:
        try:
            os.fsync(file.fileno())
        except OSError as error:
            if error.errno not in NOT_OFFERED:
                raise


def sync_folder(folder: Path) -> None:
    """Make renames in a folder survive a power cut, where the system can: the renamed is in its place either way."""
    with suppress(OSError):  # Windows opens no folders, some network file systems sync none
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def cannot_write(path: Path, error: OSError) -> UserError:
    """Return the one line for a disk that is full, read-only or broken."""
    reason = error.strerror or " ".join(str(error).split())
    return UserError(
        f"{path}: cannot be written ({reason}); what was there before is untouched; "
        "free some space or choose another folder, and run again"
    )


def sealed_json(content: Mapping[str, Any], *, seal: str) -> bytes:
    """Return content as JSON whose last entry, named ``seal``, holds the SHA-256 of the others.

    Raises:
        ValueError: a number in it is not finite.
        TypeError: something in it is not plain JSON.
    """
    checksum = hashlib.sha256(json.dumps(content).encode()).hexdigest()
    return json.dumps({**content, seal: checksum}, indent=1, allow_nan=False).encode() + b"\n"


def is_sealed(text: bytes, content: Mapping[str, Any], *, seal: str) -> bool:
    """Tell whether ``text``, which reads as ``content``, is byte for byte what :func:`sealed_json` wrote."""
    try:
        return sealed_json({key: value for key, value in content.items() if key != seal}, seal=seal) == text
    except (ValueError, RecursionError):
        return False


def _locked_temporary(path: Path) -> tuple[Path, int | None]:
    """Make a temporary file beside `path`; the open, locked descriptor tells other processes that it is in use."""
    while True:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=f".tmp{path.suffix}")
        if lock(descriptor, wait=True) is None:
            os.close(descriptor)  # Windows renames no file that is open
            return Path(name), None
        if os.path.exists(name):
            return Path(name), descriptor
        os.close(descriptor)  # taken for a stray between its making and its lock


def _umask() -> int:
    """Read the process's file mode mask, which the system only tells to those who set it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
