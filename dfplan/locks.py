"""Locks on open files that end with the process that took them; where there are none, everything goes on without."""

from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


def lock(descriptor: int, *, shared: bool = False, wait: bool = False) -> bool | None:
    """Lock an open file until the descriptor is closed.

    Args:
        descriptor: of the file.
        shared: lock out those alone who want it for themselves, as whoever reads does.
        wait: until nobody else has locked it.

    Returns:
        Whether the lock was taken: False where another program holds one, None where there are no locks (Windows,
        Lustre without ``-o flock``, some FUSE file systems).
    """
    if fcntl is None:
        return None
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def is_written_elsewhere(path: Path) -> bool:
    """Tell whether another program has locked a file for itself, as whoever writes HDF5 does; False if unknown."""
    try:
        with path.open("rb") as file:
            return lock(file.fileno(), shared=True) is False
    except OSError:
        return False
