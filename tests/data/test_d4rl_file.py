"""Real D4RL files made here: what was written is read, whenever writing stops, and every damage is named."""

import errno
import fcntl
import os
import subprocess
import sys

import h5py
import numpy as np
import pytest

from dfplan.data.d4rl_file import hash_file, note_checksum, note_file, read_metadata, write_d4rl
from dfplan.data.formats import d4rl, read
from dfplan.domains.maze.generate import generate_maze2d
from dfplan.errors import UserError

NUM_STEPS = 1500


@pytest.fixture(scope="module")
def arrays():
    return generate_maze2d("maze2d-umaze-v1", num_steps=NUM_STEPS, seed=0)


@pytest.fixture
def path(tmp_path, arrays):
    return write_d4rl(tmp_path / "maze.hdf5", arrays, metadata={"seed": 0})


def test_written_arrays_are_read_back_bit_for_bit(path, arrays):
    with h5py.File(path) as file:
        for key, value in arrays.items():
            assert file[key].dtype == value.dtype
            np.testing.assert_array_equal(file[key], value)
    assert read_metadata(path) == {"seed": 0}


HOLD = """
import h5py, sys
file = h5py.File(sys.argv[1], "a", libver="latest")
if sys.argv[2] == "shared":
    file.swmr_mode = True  # without a lock, with a mark in the file
print("open", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("how", ["alone", "shared"])
@pytest.mark.parametrize("noted", [True, False], ids=["noted", "not noted"])
def test_a_file_that_a_recorder_has_open_is_not_called_damaged(tmp_path, arrays, how, noted):
    path = write_d4rl(tmp_path / "maze.hdf5", arrays, metadata={})
    with h5py.File(path, "w", libver="latest") as file:
        for key, value in arrays.items():
            file[key] = value
    (note_checksum if noted else lambda path, checksum: note_file(path).unlink())(path, hash_file(path))
    recorder = subprocess.Popen(
        [sys.executable, "-c", HOLD, path, how], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert recorder.stdout.readline() == "open\n"
    content = path.read_bytes()
    with pytest.raises(UserError, match="another program has it open for writing") as caught:
        read(path)
    assert "delete" not in str(caught.value)
    assert "damaged" not in str(caught.value)
    assert path.read_bytes() == content
    recorder.communicate("")
    note_file(path).unlink(missing_ok=True)
    assert len(read(path)) == NUM_STEPS


def test_nobody_is_told_to_delete_data(path):
    path.write_bytes(path.read_bytes()[:-100])
    for _ in range(2):
        with pytest.raises(UserError, match="damaged") as caught:
            read(path)
        assert "delete" not in str(caught.value).removeprefix(str(path))
        path.with_name("maze.hdf5.sha256").unlink(missing_ok=True)


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.ENOLCK])
def test_a_dataset_is_read_where_there_are_no_locks(path, monkeypatch, code):
    def none(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", none)
    assert len(read(path)) == NUM_STEPS


def test_a_missing_file_names_the_way_to_make_one(tmp_path):
    with pytest.raises(UserError, match="make one with `dfplan generate`, where"):
        d4rl.read(tmp_path / "none.hdf5")


def test_any_flipped_bit_is_found_by_the_noted_checksum(path):
    content = bytearray(path.read_bytes())
    for position in np.random.default_rng(0).integers(len(content), size=20):
        flipped = content.copy()
        flipped[position] ^= 1
        path.write_bytes(flipped)
        with pytest.raises(UserError, match="damaged or was changed"):
            read(path)


def test_a_truncated_file_is_an_error_even_without_a_note(path):
    content = path.read_bytes()
    path.with_name("maze.hdf5.sha256").unlink()
    assert read(path).checksum  # unchecked, but still read
    for share in (0, 0.01, 0.3, 0.9, 0.999):
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(UserError, match="damaged"):
            read(path)


def test_the_note_is_readable_by_sha256sum(path):
    checksum, name = path.with_name("maze.hdf5.sha256").read_text().split()
    assert (checksum, name) == (hash_file(path), path.name)


def test_a_failed_write_keeps_the_old_file_and_its_note(path, arrays):
    before = {each.name: each.read_bytes() for each in path.parent.iterdir()}
    with pytest.raises(TypeError):
        write_d4rl(path, arrays, metadata={"seed": object()})
    assert {each.name: each.read_bytes() for each in path.parent.iterdir()} == before


def test_a_full_disk_is_one_clear_line_and_keeps_the_old_file(path, arrays):
    """A limit on the size of files stands in for the disk: the system refuses the write in the same way."""
    script = f"""
import resource, signal, sys
import numpy as np
from pathlib import Path
from dfplan.data.d4rl_file import write_d4rl
from dfplan.errors import UserError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
noise = np.random.default_rng(0).normal(size=(40_000, 4))
try:
    write_d4rl(Path({str(path)!r}), {{"observations": noise}}, metadata={{}})
except UserError as error:
    sys.exit(str(error))
"""
    before = {each.name: each.read_bytes() for each in path.parent.iterdir()}
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert finished.stderr.startswith(f"{path}: cannot be written (File too large); what was there before is untouched")
    assert {each.name: each.read_bytes() for each in path.parent.iterdir()} == before


@pytest.mark.parametrize("noted", [True, False])
def test_whenever_writing_stops_the_note_holds_for_the_file_that_is_there(path, arrays, monkeypatch, noted):
    """A kill between any two renames: every file that is there at that moment is readable."""
    if not noted:
        path.with_name("maze.hdf5.sha256").unlink()
    rename, renamed = os.replace, []

    def stop_at(number):
        def replace(source, target):
            if len(renamed) == number:
                raise KeyboardInterrupt
            renamed.append(target)
            rename(source, target)

        return replace

    for number in range(3):
        renamed.clear()
        monkeypatch.setattr(os, "replace", stop_at(number))
        with pytest.raises(KeyboardInterrupt):
            write_d4rl(path, arrays, metadata={"attempt": number})
        assert read_metadata(path) == {"seed": 0} if number < 2 else {"attempt": 2}
        read(path)
    monkeypatch.undo()
    write_d4rl(path, arrays, metadata={"seed": 1})
    assert path.with_name("maze.hdf5.sha256").read_text() == f"{hash_file(path)}  maze.hdf5\n"


def test_an_empty_note_is_no_good_note(path):
    path.with_name("maze.hdf5.sha256").write_text("")
    with pytest.raises(UserError, match="damaged or was changed"):
        read(path)


def test_a_first_write_that_fails_leaves_nothing(tmp_path, arrays, monkeypatch):
    def full(source, target):
        if str(target).endswith(".hdf5"):
            raise OSError(28, "No space left on device")
        rename(source, target)

    rename = os.replace
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(UserError, match="No space left"):
        write_d4rl(tmp_path / "maze.hdf5", arrays, metadata={})
    assert list(tmp_path.iterdir()) == []
