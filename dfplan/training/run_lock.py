"""One process at a time in a run folder: a second one is refused, and told who is at work there."""

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import psutil

from dfplan.errors import UserError
from dfplan.files import cannot_write
from dfplan.locks import lock

LOCK_FILE = ".lock"
MAX_NOTE_CHARACTERS = 1000
SETTLING_SECONDS = 0.3  # in which two that begin at one instant see each other where there are no locks
_held: dict[Path, IO[str]] = {}  # the open lock files of the folders that this process has


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Have a run folder for this process alone while the block lasts; a folder that is not there is nobody's.

    The lock ends with the process, however that ends. On file systems without locks, a process that is noted in the
    folder counts as long as it lives on this machine. Of several processes that train together the first has the
    lock. Who has a folder may ask for it again.

    Raises:
        UserError: another process has it, or nothing can be written there.
    """
    place = folder.resolve()
    if place in _held or not place.is_dir() or os.environ.get("RANK", "0") != "0":
        yield
        return
    try:
        file = (place / LOCK_FILE).open("a+")
    except OSError as error:
        raise cannot_write(place / LOCK_FILE, error) from error
    with file:
        _take(file, folder)
        _held[place] = file
        try:
            yield
        finally:
            _held.pop(place, None)  # not there in a forked child
            _note(file, "")


def _take(file: IO[str], folder: Path) -> None:
    """Lock the file and note this process in it."""
    taken, found = lock(file.fileno()), _read(file)
    if taken is False or (taken is None and _lives(found)):
        raise _refusal(folder, found)
    own = {"pid": os.getpid(), "host": socket.gethostname(), "since": psutil.Process().create_time()}
    _note(file, json.dumps(own))
    if taken is None:
        time.sleep(SETTLING_SECONDS)
        found = _read(file)
        if found != own and _lives(found):
            raise _refusal(folder, found)


def _note(file: IO[str], text: str) -> None:
    with suppress(OSError, ValueError):  # a full disk: the lock holds without it; a child's file is closed
        file.truncate(0)
        file.write(text)
        file.flush()


def _read(file: IO[str]) -> dict[str, Any]:
    """What is noted of the process that has the folder, or had it when it was killed."""
    try:
        file.seek(0)
        found = json.loads(file.read(MAX_NOTE_CHARACTERS))
        return {"pid": int(found["pid"]), "host": str(found["host"]), "since": float(found["since"])}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _lives(noted: dict[str, Any]) -> bool:
    """Whether the noted process is another one of this machine that still runs."""
    if not noted or noted["host"] != socket.gethostname() or noted["pid"] == os.getpid():
        return False
    try:
        return abs(psutil.Process(noted["pid"]).create_time() - noted["since"]) < 1  # else its number was given again
    except (psutil.Error, ValueError):
        return False


def _refusal(folder: Path, noted: dict[str, Any]) -> UserError:
    who = f"process {noted['pid']} on {noted['host']!r}" if noted else "another process"
    return UserError(
        f"{folder}: {who} is training in this run folder; wait for it, stop it (kill {noted.get('pid', '<its number>')}"
        " has it save), or choose another run"
    )


def _let_go() -> None:
    """A forked child does not keep what its parent had: the lock must end with the parent."""
    while _held:
        _held.popitem()[1].close()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_let_go)
