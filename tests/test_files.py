"""A file is written whole or not at all, and a sealed JSON is known to be whole."""

import errno
import gc
import json
import os
import stat
import subprocess
import sys

import pytest

from dfplan.errors import UserError
from dfplan.files import is_sealed, sealed_json, write_whole, written_whole


def test_the_new_file_takes_the_place_of_the_old_one(tmp_path):
    path = tmp_path / "folder" / "file.txt"
    for text in ("old", "new"):
        with written_whole(path) as temporary:
            temporary.write_text(text)
        assert path.read_text() == text
    assert os.listdir(path.parent) == ["file.txt"]
    (tmp_path / "plain").write_text("")
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_writing_leaves_the_process_as_it_was(tmp_path):
    before = os.umask(0o027)
    try:
        gc.collect()  # what other tests have left open
        opened = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None
        for text in (b"old", b"new"):
            write_whole(tmp_path / "file.txt", text)
        assert os.umask(0o027) == 0o027
        assert (tmp_path / "file.txt").stat().st_mode & 0o777 == 0o640
        assert opened is None or len(os.listdir("/proc/self/fd")) == opened
    finally:
        os.umask(before)


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, failure):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises((UserError, KeyboardInterrupt)) as caught, written_whole(path) as temporary:  # noqa: PT012
        temporary.write_text("half of the n")
        raise failure
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file.txt"]
    if isinstance(failure, OSError):
        assert f"{path}: cannot be written (No space left on device)" in str(caught.value)


def refuse(code):
    def call(*arguments, **options):
        raise OSError(code, os.strerror(code))

    return call


NOT_OFFERED = [errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK, errno.EPERM, errno.EACCES]


@pytest.mark.parametrize("code", NOT_OFFERED, ids=errno.errorcode.get)
@pytest.mark.parametrize("call", ["fcntl.flock", "pathlib.Path.chmod"])
def test_what_a_file_system_does_not_offer_is_done_without(tmp_path, monkeypatch, call, code):
    path = tmp_path / "file.txt"
    monkeypatch.setattr(call, refuse(code))
    for text in (b"old", b"new"):
        write_whole(path, text)
        assert path.read_bytes() == text
    assert os.listdir(tmp_path) == ["file.txt"]


@pytest.mark.parametrize("code", [*NOT_OFFERED, errno.EIO], ids=errno.errorcode.get)
def test_a_folder_that_cannot_be_synced_has_the_new_file_all_the_same_and_nothing_else_is_said(
    tmp_path, monkeypatch, code
):
    sync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: refuse(code)() if stat.S_ISDIR(os.fstat(fd).st_mode) else sync(fd))
    write_whole(tmp_path / "file.txt", b"new")
    assert (tmp_path / "file.txt").read_bytes() == b"new"


def test_a_file_that_cannot_be_synced_is_written_where_that_is_unknown_and_refused_where_the_disk_fails(
    tmp_path, monkeypatch
):
    path = tmp_path / "file.txt"
    monkeypatch.setattr(os, "fsync", refuse(errno.ENOSYS))
    write_whole(path, b"old")
    monkeypatch.setattr(os, "fsync", refuse(errno.EIO))
    with pytest.raises(UserError, match=r"cannot be written .*; what was there before is untouched"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"


WITHOUT_FCNTL = """
import sys
sys.modules["fcntl"] = None  # as on Windows, where there is no such module
sys.modules["resource"] = None
from pathlib import Path
from dfplan.files import write_whole
for text in (b"old", b"new"):
    write_whole(Path(sys.argv[1]), text)
"""


def test_files_are_written_where_python_has_no_locks(tmp_path):
    path = tmp_path / "file.txt"
    subprocess.run([sys.executable, "-c", WITHOUT_FCNTL, path], check=True)
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["file.txt"]


LEFT_BEHIND = """
import os, sys
from pathlib import Path
from dfplan.files import is_sealed, sealed_json, write_whole, written_whole
with written_whole(Path(sys.argv[1])) as temporary:
    temporary.write_text("half of the n")
    os.kill(os.getpid(), 9)
"""


def test_what_a_killed_writer_left_goes_with_the_next_write(tmp_path):
    path = tmp_path / "file [1].txt"
    path.write_text("old")
    subprocess.run([sys.executable, "-c", LEFT_BEHIND, path], check=False)
    assert path.read_text() == "old"
    assert len(os.listdir(tmp_path)) == 2
    write_whole(path, b"new")
    assert os.listdir(tmp_path) == [path.name]
    assert path.read_text() == "new"


def test_two_writers_at_a_time_do_not_remove_each_others_files(tmp_path):
    path = tmp_path / "file.txt"
    with written_whole(path) as first:
        first.write_text("first")
        write_whole(path, b"second")
        assert path.read_text() == "second"
    assert path.read_text() == "first"
    assert os.listdir(tmp_path) == ["file.txt"]


def test_files_that_only_look_like_temporary_ones_stay(tmp_path):
    (tmp_path / ".other-x.tmp.txt").write_text("of another file")
    (tmp_path / "kept").write_text("kept")
    (tmp_path / ".file-link.tmp.txt").symlink_to(tmp_path / "kept")
    write_whole(tmp_path / "file.txt", b"new")
    assert sorted(os.listdir(tmp_path)) == [".file-link.tmp.txt", ".other-x.tmp.txt", "file.txt", "kept"]


@pytest.mark.parametrize("content", [{}, {"a": 1, "b": [0.1, None, "ü"]}])
def test_a_seal_holds_for_what_was_sealed_and_for_nothing_else(content):
    text = sealed_json(content, seal="sum")
    read = json.loads(text)
    assert is_sealed(text, read, seal="sum")
    assert list(read) == [*content, "sum"]
    assert not is_sealed(text + b" ", read, seal="sum")
    assert not is_sealed(text, read | {"a": 2}, seal="sum")
    changed = {key: value for key, value in read.items() if key != "sum"} | {"c": 1, "sum": read["sum"]}
    assert not is_sealed(json.dumps(changed, indent=1).encode() + b"\n", changed, seal="sum")


def test_what_cannot_be_sealed_is_refused():
    with pytest.raises(ValueError, match="JSON"):
        sealed_json({"loss": float("inf")}, seal="sum")
    assert not is_sealed(b"", {"loss": float("inf")}, seal="sum")
