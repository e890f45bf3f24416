"""Files that are written whole or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dfplan.errors import UserError


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write to; once the block ends well, the file written there takes the place of `path`.

    Whatever goes wrong, an existing file at `path` stays as it is and the temporary one is removed. The temporary file
    lies in the same folder (a rename is atomic only within one file system) and has the same ending (which some
    writers read the format from).

    Raises:
        UserError: the file cannot be written (no permission, no such disk, disk full).
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=f".tmp{path.suffix}")
        os.close(handle)
        temporary = Path(name)
        temporary.chmod(0o666 & ~_umask())  # mkstemp makes files that only their owner may read
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that `path` holds either all of the new content or what it held before, even after a crash.

    Raises:
        UserError: it cannot be written.
    """
    with written_whole(path) as temporary:
        temporary.write_bytes(content)


def remove_temporaries(path: Path) -> None:
    """Remove what processes that were killed while they wrote `path` have left behind, as far as that is possible."""
    for stray in path.parent.glob(f".{path.stem}-*.tmp{path.suffix}"):
        with suppress(OSError):
            stray.unlink()


def sync_folder(folder: Path) -> None:
    """Make renames in a folder survive a power cut."""
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


def _umask() -> int:
    """Read the process's file mode mask, which the system only tells to those who set it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
