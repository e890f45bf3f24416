"""A run folder has one process at a time, by locks where there are some, by what is noted where there are none."""

import errno
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from tiny_task import TinyTask, train_tiny

from dfplan.errors import UserError
from dfplan.training.run_lock import LOCK_FILE, alone_in

HOLD = """
import errno, os, sys, time
from pathlib import Path
from dfplan.training.run_lock import alone_in
if sys.argv[2] == "without locks":
    import fcntl
    def none(*_):
        raise OSError(errno.ENOSYS, "Function not implemented")
    fcntl.flock = none
with alone_in(Path(sys.argv[1])):
    if sys.argv[2] == "with a child" and os.fork() == 0:
        time.sleep(3)
        os._exit(0)
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def hold(tmp_path):
    """Start a process that has the folder; returns it."""
    started = []

    def start(how="with locks"):
        command = [sys.executable, "-c", HOLD, tmp_path, how]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def no_locks(monkeypatch):
    def none(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", none)


def refused(folder):
    with pytest.raises(UserError) as caught, alone_in(folder):
        pass
    return str(caught.value)


def test_a_second_process_is_refused_and_told_who_the_first_is(tmp_path, hold):
    first = hold()
    said = refused(tmp_path)
    assert said.startswith(
        f"{tmp_path}: process {first.pid} on {socket.gethostname()!r} is training in this run folder"
    )
    assert "\n" not in said
    first.communicate("")
    with alone_in(tmp_path), alone_in(tmp_path):  # once more by the same process
        pass


@pytest.mark.parametrize("how", ["with locks", "with a child", "without locks"])
def test_what_a_killed_process_had_is_free(tmp_path, hold, how):
    first = hold(how)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert json.loads((tmp_path / LOCK_FILE).read_text())["pid"] == first.pid
    with alone_in(tmp_path):
        assert json.loads((tmp_path / LOCK_FILE).read_text())["pid"] == os.getpid()
    assert (tmp_path / LOCK_FILE).read_text() == ""


def test_without_locks_who_is_noted_and_lives_is_at_work(tmp_path, hold, no_locks):
    first = hold("without locks")
    assert f"process {first.pid} on" in refused(tmp_path)
    first.communicate("")
    with alone_in(tmp_path):
        pass


@pytest.mark.parametrize(
    "change",
    [
        {"host": "elsewhere"},
        {"since": 0.0},  # another process had this number
        {"pid": 2**30},
        {"pid": -1},
        {"pid": "x"},
        {"pid": None},
    ],
)
def test_without_locks_notes_of_other_machines_and_of_the_dead_keep_nobody_out(tmp_path, no_locks, change):
    other = psutil.Process(os.getppid())
    noted = {"pid": other.pid, "host": socket.gethostname(), "since": other.create_time()}
    (tmp_path / LOCK_FILE).write_text(json.dumps(noted))
    assert f"process {other.pid} on" in refused(tmp_path)
    (tmp_path / LOCK_FILE).write_text(json.dumps(noted | change))
    with alone_in(tmp_path):
        pass


def test_a_folder_that_is_not_there_is_nobodys(tmp_path):
    with alone_in(tmp_path / "none"):
        assert not (tmp_path / "none").exists()


def test_a_training_is_not_resumed_by_two(tmp_path, hold):
    train_tiny(TinyTask(), tmp_path, num_steps=10)
    first = hold()
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match=f"process {first.pid} on"):
        train_tiny(TinyTask(), tmp_path, num_steps=20, resume=True)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    first.communicate("")
    assert train_tiny(TinyTask(), tmp_path, num_steps=20, resume=True).finished


def test_a_new_run_is_not_begun_where_another_process_begins_one(tmp_path, hold):
    first = hold()
    with pytest.raises(UserError, match=f"process {first.pid} on"):
        train_tiny(TinyTask(), Path(tmp_path), num_steps=10)
    assert os.listdir(tmp_path) == [LOCK_FILE]
