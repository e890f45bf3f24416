"""Files that are written whole or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
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
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
        os.close(handle)
        temporary = Path(name)
        temporary.chmod(0o666 & ~_umask())  # mkstemp makes files that only their owner may read
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        reason = error.strerror or " ".join(str(error).split())
        raise UserError(f"cannot write {path}: {reason}; free some space or choose another folder") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _umask() -> int:
    """Read the process's file mode mask, which the system only tells to those who set it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
