"""Real D4RL files made here: what was written is read, trajectories are cut where they end, every damage is named."""

import errno
import fcntl
import os
import subprocess
import sys

import h5py
import numpy as np
import pytest

from dfplan.data.d4rl_file import hash_file, note_checksum, note_file, read_d4rl, read_metadata, write_d4rl
from dfplan.domains.maze.generate import generate_maze2d
from dfplan.errors import UserError

NUM_STEPS = 1500


@pytest.fixture(scope="module")
def arrays():
    return generate_maze2d("maze2d-umaze-v1", num_steps=NUM_STEPS, seed=0)


@pytest.fixture
def path(tmp_path, arrays):
    return write_d4rl(tmp_path / "maze.hdf5", arrays, metadata={"seed": 0})


def _without(arrays, *prefixes):
    return {key: value for key, value in arrays.items() if not key.startswith(prefixes)}


def _save(path, arrays):
    with h5py.File(path, "w") as file:
        for key, value in arrays.items():
            file[key] = value
    return path


def _rows_are_linked(trajectories):
    """True where row t+1 is the physical successor of row t: the ball never moves further than speed allows."""
    return np.abs(np.diff(trajectories.observations[:, :2], axis=0)).max(axis=1) < 0.0525


def test_written_arrays_are_read_back_bit_for_bit(path, arrays):
    with h5py.File(path) as file:
        for key, value in arrays.items():
            assert file[key].dtype == value.dtype
            np.testing.assert_array_equal(file[key], value)
    assert read_metadata(path) == {"seed": 0}


def test_true_states_make_one_trajectory_that_runs_on_across_timeouts(path, arrays):
    data = read_d4rl(path)
    assert data.starts.tolist() == [0, NUM_STEPS]
    np.testing.assert_array_equal(data.observations, np.hstack([arrays["infos/qpos"], arrays["infos/qvel"]]))
    np.testing.assert_array_equal(data.segment_ends, arrays["timeouts"])
    np.testing.assert_array_equal(data.actions[:-1], arrays["actions"][:-1])
    assert not data.actions[-1].any()
    assert _rows_are_linked(data).all()
    assert data.checksum == hash_file(path)
    assert data.observations.dtype == data.actions.dtype == np.float32


def test_without_infos_a_timeout_ends_a_trajectory_and_stale_rows_are_left_out(tmp_path, arrays):
    data = read_d4rl(write_d4rl(tmp_path / "maze.hdf5", _without(arrays, "infos"), metadata={}))
    timeouts = np.flatnonzero(arrays["timeouts"][:-1])
    assert len(timeouts) > 5
    assert len(data) == NUM_STEPS - len(timeouts)
    last_rows = data.starts[1:] - 1
    assert not data.actions[last_rows].any()
    linked = _rows_are_linked(data)
    inside = np.delete(np.arange(len(data) - 1), last_rows[:-1])
    assert linked[inside].all()
    truth = np.hstack([arrays["infos/qpos"], arrays["infos/qvel"]])
    kept = np.delete(np.arange(NUM_STEPS), timeouts + 1)
    np.testing.assert_array_equal(data.observations, truth[kept])  # every row that is left is a true state


def test_a_terminal_ends_a_trajectory(tmp_path, arrays):
    terminals = np.zeros(NUM_STEPS, bool)
    terminals[[99, 499]] = True
    data = read_d4rl(write_d4rl(tmp_path / "maze.hdf5", arrays | {"terminals": terminals}, metadata={}))
    assert data.starts.tolist() == [0, 100, 500, NUM_STEPS]


def test_timeouts_at_which_the_state_jumps_end_trajectories_even_with_infos(tmp_path, arrays):
    moved = arrays["infos/qpos"].copy()
    first_end = int(np.flatnonzero(arrays["timeouts"])[0])
    moved[first_end + 1 :] += 1.0
    data = read_d4rl(write_d4rl(tmp_path / "maze.hdf5", arrays | {"infos/qpos": moved}, metadata={}))
    assert data.starts[1] == first_end + 1
    assert len(data.starts) - 2 == np.count_nonzero(arrays["timeouts"][:-1])


def _driven_apart(arrays, *, piece=100):
    """Pieces of the recording in another order: real resets, at every ``piece`` rows."""
    order = np.random.default_rng(0).permutation(NUM_STEPS // piece)
    rows = np.concatenate([np.arange(piece * index, piece * (index + 1)) for index in order])
    ends = np.arange(NUM_STEPS) % piece == piece - 1
    return {key: value[rows] for key, value in arrays.items()} | {"timeouts": ends}


@pytest.mark.parametrize("infos", [True, False], ids=["with infos", "without"])
@pytest.mark.parametrize("flags", ["right", "late", "early", "half", "none"])
def test_resets_end_trajectories_wherever_the_flags_are(tmp_path, arrays, infos, flags):
    arrays = _driven_apart(arrays)
    ends = arrays["timeouts"]
    half = ends & (np.arange(NUM_STEPS) // 100 % 2 == 0)
    changed = {"right": ends, "late": np.roll(ends, 1), "early": np.roll(ends, -1), "half": half, "none": ends & False}
    arrays |= {"timeouts": changed[flags]}
    data = read_d4rl(_save(tmp_path / "maze.hdf5", arrays if infos else _without(arrays, "infos")))
    linked = _rows_are_linked(data)
    assert np.delete(linked, data.starts[1:-1] - 1).all()
    assert len(data.starts) - 1 >= 15
    assert len(data) >= 0.97 * NUM_STEPS
    if infos:
        jumps = {"right": 0, "half": 7}.get(flags, 14)
        assert [note.split(" impossible")[0] for note in data.notes] == ([f"cut at {jumps}"] if jumps else [])


@pytest.mark.parametrize("infos", [True, False], ids=["with infos", "without"])
def test_where_rows_were_taken_out_a_trajectory_ends_and_a_note_says_so(tmp_path, arrays, infos):
    kept = {key: np.delete(value, np.arange(900, 1000), axis=0) for key, value in arrays.items()}
    data = read_d4rl(_save(tmp_path / "maze.hdf5", kept if infos else _without(kept, "infos")))
    assert np.delete(_rows_are_linked(data), data.starts[1:-1] - 1).all()
    assert data.notes[0].startswith("cut at 1 impossible step, the first from row 899 to row 900")


def test_what_is_read_whole_has_no_note(tmp_path, path, arrays):
    assert read_d4rl(path).notes == ()
    assert read_d4rl(_save(tmp_path / "other.hdf5", _without(arrays, "infos"))).notes == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: _without(a, "actions"), "no dataset 'actions'"),
        (lambda a: _without(a, "infos", "timeouts"), "neither timeouts nor"),
        (lambda a: a | {"observations": a["observations"][:, 0]}, "observations must be floating-point with 2 dim"),
        (lambda a: a | {"actions": a["actions"].astype(np.int64)}, "actions must be floating-point"),
        (lambda a: a | {"timeouts": a["rewards"]}, "timeouts must be boolean"),
        (lambda a: a | {"timeouts": np.arange(NUM_STEPS)}, "timeouts must be boolean, or 0 and 1; got 0 to 1499"),
        (lambda a: a | {"actions": a["actions"][:-1]}, "same number of rows"),
        (lambda a: {key: value[:0] for key, value in a.items()}, "at least one"),
    ],
)
def test_a_wrong_layout_is_named(tmp_path, arrays, change, message):
    path = _save(tmp_path / "maze.hdf5", change(arrays))
    with pytest.raises(UserError, match=message) as caught:
        read_d4rl(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_observations_of_any_width_are_cut_where_they_jump(tmp_path, dim):
    rows = np.cumsum(np.random.default_rng(0).normal(size=(900, dim)), axis=0, dtype=np.float32)
    rows[500:, 0] += 1e4
    ends = np.arange(900) % 300 == 299
    path = _save(tmp_path / "a.hdf5", {"observations": rows, "actions": np.zeros((900, 1), "f4"), "timeouts": ends})
    trajectories = read_d4rl(path)
    assert trajectories.starts.tolist() == [0, 300, 500, 600, 900]
    assert "from row 499 to row 500" in trajectories.notes[0]


@pytest.mark.parametrize("key", ["observations", "actions"])
def test_rows_of_nothing_are_a_wrong_layout(tmp_path, arrays, key):
    empty = {**_without(arrays, "infos"), key: np.zeros((NUM_STEPS, 0), np.float32)}
    with pytest.raises(UserError, match=rf"{key} must be .*none of length 0; got float32 of shape"):
        read_d4rl(_save(tmp_path / "a.hdf5", empty))


@pytest.mark.parametrize("key", ["actions", "infos/qvel"])
def test_rows_that_are_not_finite_are_counted_and_named(tmp_path, arrays, key):
    broken = arrays[key].copy()
    broken[[7, 9], 1] = np.nan, np.inf
    with pytest.raises(UserError, match=f"{key} has 2 rows with NaN or infinity, the first is row 7"):
        read_d4rl(_save(tmp_path / "maze.hdf5", arrays | {key: broken}))


@pytest.mark.filterwarnings("error")
def test_what_single_precision_cannot_hold_is_not_finite(tmp_path, arrays):
    large = arrays["actions"].astype(np.float64)
    large[7, 0] = 1e300
    with pytest.raises(UserError, match="actions has 1 rows with NaN or infinity, the first is row 7 "):
        read_d4rl(_save(tmp_path / "maze.hdf5", arrays | {"actions": large}))


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
        read_d4rl(path)
    assert "delete" not in str(caught.value)
    assert "damaged" not in str(caught.value)
    assert path.read_bytes() == content
    recorder.communicate("")
    note_file(path).unlink(missing_ok=True)
    assert len(read_d4rl(path)) == NUM_STEPS


def test_nobody_is_told_to_delete_data(path):
    path.write_bytes(path.read_bytes()[:-100])
    for _ in range(2):
        with pytest.raises(UserError, match="damaged") as caught:
            read_d4rl(path)
        assert "delete" not in str(caught.value).removeprefix(str(path))
        path.with_name("maze.hdf5.sha256").unlink(missing_ok=True)


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.ENOLCK])
def test_a_dataset_is_read_where_there_are_no_locks(path, monkeypatch, code):
    def none(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", none)
    assert len(read_d4rl(path)) == NUM_STEPS


def test_a_missing_file_names_the_way_to_make_one(tmp_path):
    with pytest.raises(UserError, match="data=generated"):
        read_d4rl(tmp_path / "none.hdf5")


def test_any_flipped_bit_is_found_by_the_noted_checksum(path):
    content = bytearray(path.read_bytes())
    for position in np.random.default_rng(0).integers(len(content), size=20):
        flipped = content.copy()
        flipped[position] ^= 1
        path.write_bytes(flipped)
        with pytest.raises(UserError, match="damaged or was changed"):
            read_d4rl(path)


def test_a_truncated_file_is_an_error_even_without_a_note(path):
    content = path.read_bytes()
    path.with_name("maze.hdf5.sha256").unlink()
    assert read_d4rl(path).checksum  # unchecked, but still read
    for share in (0, 0.01, 0.3, 0.9, 0.999):
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(UserError, match="damaged"):
            read_d4rl(path)


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
        read_d4rl(path)
    monkeypatch.undo()
    write_d4rl(path, arrays, metadata={"seed": 1})
    assert path.with_name("maze.hdf5.sha256").read_text() == f"{hash_file(path)}  maze.hdf5\n"


def test_an_empty_note_is_no_good_note(path):
    path.with_name("maze.hdf5.sha256").write_text("")
    with pytest.raises(UserError, match="damaged or was changed"):
        read_d4rl(path)


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
