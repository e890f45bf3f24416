"""Commands on a disk that is full, read-only or broken: one clear line, a status that is not 0, nothing lost."""

import errno
import hashlib
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from child import Outcome, in_child

import dfplan.cli.commands.evaluate
import dfplan.cli.commands.export
import dfplan.cli.commands.train  # noqa: F401 - loaded once, before the forks
from dfplan.cli.commands.verify import verify
from dfplan.cli.main import main

TINY_TRAINING = (
    "env=maze2d-open",
    "model.width=16",
    "model.num_layers=1",
    "env.window_tokens=3",
    "resynthesis.num_steps=0",
    "windows.held_steps=0",
    "training.batch_size=4",
    "training.compiled=false",
    "threads=1",
)
TIMEOUT = 300.0
TINY_EVAL = ("n_episodes=1", "planner.num_candidates=2", "planner.horizon=32", "controller=actions", "threads=1")
PLACE_MEGABYTES = 8
NOBODY = 65534


def run(folder: Path, *, with_export: bool = True) -> dict[str, Any]:
    """Meet every command with every fault.

    Returns:
        How each fault was made, and by fault and command whether the status was not 0, one line told why, what was
        there before is intact, and no half-written file is left.
    """
    base = _prepare(folder)
    found: dict[str, Any] = {"made by": {}}
    for fault, make in FAULTS.items():
        exports = with_export and fault in ("disk full", "read-only")
        commands = ["generate", "train", "eval", *(["export"] if exports else [])]
        for command in commands:
            place = folder / "place"
            with make(place, base) as (run_in_child, how):
                before = _hashes(place)
                outcome = run_in_child(partial(main, _words(command, place)))
                after, dataset = _hashes(place), verify(place / "data.hdf5")
            found["made by"][fault] = how
            found[f"{fault}, {command}"] = _judge(outcome, before, after, dataset=dataset)
    return found


def _prepare(folder: Path) -> Path:
    """A dataset and a short training, as they were before the disk failed."""
    base = folder / "base"
    for words in (
        ["generate", "env=maze2d-open", "num_steps=2000", f"output={base / 'data.hdf5'}"],
        ["train", f"data={base / 'data.hdf5'}", f"output={base / 'run'}", "training.num_steps=2", *TINY_TRAINING],
    ):
        outcome = in_child(partial(main, words), timeout=TIMEOUT)
        if outcome.status:
            raise RuntimeError(f"cannot prepare {words}: {outcome.text}")
    return base


def _words(command: str, place: Path) -> list[str]:
    match command:
        case "generate":
            return ["generate", "env=maze2d-open", "num_steps=3000", f"output={place / 'data.hdf5'}", "overwrite=true"]
        case "train":
            return ["train", f"resume={place / 'run'}", "training.num_steps=4", "threads=1"]
        case "eval":
            return ["eval", "env=maze2d-open", f"weights={place / 'run'}", f"output={place / 'eval'}", *TINY_EVAL]
        case _:
            return ["export", "env=maze2d-open", f"weights={place / 'run'}", f"output={place / 'export'}"]


def _hashes(place: Path) -> dict[str, str]:
    paths = sorted(path for path in place.rglob("*") if path.is_file() and path.name != "filler")
    return {str(path.relative_to(place)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def _judge(outcome: Outcome, before: dict[str, str], after: dict[str, str], *, dataset: str) -> dict[str, Any]:
    lines = [line for line in outcome.text.splitlines() if line.startswith("dfplan: error: ")]
    # A log may grow; the note beside a dataset may hold for a second file while it holds for the first.
    kept = {name: checksum for name, checksum in before.items() if not name.endswith((".jsonl", ".sha256"))}
    judged: dict[str, Any] = {
        "status is not 0": outcome.status > 0,
        "one clear line": len(lines) == 1 and "Traceback" not in outcome.text,
        "previous files intact": kept.items() <= after.items() and dataset.endswith("whole"),
        "nothing half-written": not any("/." in f"/{name}" for name in after.keys() - before.keys()),
    }
    if not all(judged.values()):
        judged["said"] = outcome.text[-500:]
    return judged


Runner = Callable[[Callable[[], int]], Outcome]


@contextmanager
def _full(place: Path, base: Path) -> Iterator[tuple[Runner, str]]:
    with _mounted(place) as mounted:
        shutil.copytree(base, place, dirs_exist_ok=True)
        if mounted:
            _fill(place / "filler")
            yield partial(in_child, timeout=TIMEOUT), f"a tmpfs of {PLACE_MEGABYTES} MB filled to the last page"
        else:
            yield (
                (lambda work: in_child(lambda: _with_small_files(work), timeout=TIMEOUT)),
                "RLIMIT_FSIZE of 4 kB (mounting is not allowed)",
            )


@contextmanager
def _read_only(place: Path, base: Path) -> Iterator[tuple[Runner, str]]:
    with _mounted(place) as mounted:
        shutil.copytree(base, place, dirs_exist_ok=True)
        if mounted:
            subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
            yield partial(in_child, timeout=TIMEOUT), "a tmpfs mounted read-only"
            return
        folders = [place, *(path for path in place.rglob("*") if path.is_dir())]
        for each in folders:
            each.chmod(0o555)
        user = NOBODY if os.geteuid() == 0 else None
        yield (lambda work: in_child(work, user=user, timeout=TIMEOUT)), "folders of mode 555"
        for each in folders:
            each.chmod(0o755)


@contextmanager
def _broken(place: Path, base: Path, *, call: str) -> Iterator[tuple[Runner, str]]:
    shutil.copytree(base, place)
    yield (lambda work: in_child(lambda: _with_failing(call, work), timeout=TIMEOUT)), f"{call} raises EIO"
    shutil.rmtree(place)


def _with_failing(call: str, work: Callable[[], int]) -> int:
    """In a child: let a call of the system fail as a broken disk makes it fail."""

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    if call == "write":
        write = Path.write_bytes

        def half(path: Path, data: Any) -> int:
            write(path, bytes(data)[: len(data) // 2])
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        Path.write_bytes = half
    else:
        setattr(os, call, fail)
    return work()


def _with_small_files(work: Callable[[], int]) -> int:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
    return work()


@contextmanager
def _mounted(place: Path) -> Iterator[bool]:
    """A small file system of its own at ``place``, where that is allowed."""
    place.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={PLACE_MEGABYTES}m", "none", str(place)]
    mounted = (
        sys.platform == "linux"
        and subprocess.run(["mount", *options], capture_output=True, check=False).returncode == 0
    )
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(place)], check=True)
        shutil.rmtree(place)


def _fill(path: Path) -> None:
    try:
        with path.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
    except OSError:
        pass


def _failing(call: str) -> Callable[[Path, Path], Any]:
    return lambda place, base: _broken(place, base, call=call)


FAULTS: dict[str, Callable[[Path, Path], Any]] = {
    "disk full": _full,
    "read-only": _read_only,
    "EIO at fsync": _failing("fsync"),
    "EIO at rename": _failing("replace"),
    "EIO while writing": _failing("write"),
}
