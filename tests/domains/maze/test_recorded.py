"""Real data of mazes made here: rows go on where the ball did, trajectories are cut where it could not."""

import h5py
import numpy as np
import pytest

from dfplan.data.d4rl_file import hash_file, write_d4rl
from dfplan.domains.maze.generate import generate_maze2d
from dfplan.domains.maze.recorded import read_recorded
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


def test_true_states_make_one_trajectory_that_runs_on_across_timeouts(path, arrays):
    data = read_recorded(path)
    assert data.starts.tolist() == [0, NUM_STEPS]
    np.testing.assert_array_equal(data.observations, np.hstack([arrays["infos/qpos"], arrays["infos/qvel"]]))
    np.testing.assert_array_equal(data.segment_ends, arrays["timeouts"])
    np.testing.assert_array_equal(data.actions[:-1], arrays["actions"][:-1])
    assert not data.actions[-1].any()
    assert _rows_are_linked(data).all()
    assert data.checksum == hash_file(path)
    assert data.observations.dtype == data.actions.dtype == np.float32


def test_without_infos_a_timeout_ends_a_trajectory_and_stale_rows_are_left_out(tmp_path, arrays):
    data = read_recorded(write_d4rl(tmp_path / "maze.hdf5", _without(arrays, "infos"), metadata={}))
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
    data = read_recorded(write_d4rl(tmp_path / "maze.hdf5", arrays | {"terminals": terminals}, metadata={}))
    assert data.starts.tolist() == [0, 100, 500, NUM_STEPS]


def test_timeouts_at_which_the_state_jumps_end_trajectories_even_with_infos(tmp_path, arrays):
    moved = arrays["infos/qpos"].copy()
    first_end = int(np.flatnonzero(arrays["timeouts"])[0])
    moved[first_end + 1 :] += 1.0
    data = read_recorded(write_d4rl(tmp_path / "maze.hdf5", arrays | {"infos/qpos": moved}, metadata={}))
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
    data = read_recorded(_save(tmp_path / "maze.hdf5", arrays if infos else _without(arrays, "infos")))
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
    data = read_recorded(_save(tmp_path / "maze.hdf5", kept if infos else _without(kept, "infos")))
    assert np.delete(_rows_are_linked(data), data.starts[1:-1] - 1).all()
    assert data.notes[0].startswith("cut at 1 impossible step, the first from row 899 to row 900")


def test_what_is_read_whole_has_no_note(tmp_path, path, arrays):
    assert read_recorded(path).notes == ()
    assert read_recorded(_save(tmp_path / "other.hdf5", _without(arrays, "infos"))).notes == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: _without(a, "actions"), "no dataset 'actions'"),
        (lambda a: _without(a, "infos", "timeouts"), "neither timeouts nor"),
        (lambda a: a | {"observations": a["observations"][:, None]}, "observations must be a vector of numbers a row"),
        (lambda a: a | {"actions": a["actions"].astype("S8")}, "actions must be rows of numbers; got .S8"),
        (lambda a: a | {"timeouts": a["rewards"] / 2}, "timeouts must be 0 or 1; got 0.5"),
        (lambda a: a | {"timeouts": np.arange(NUM_STEPS)}, "row 2: timeouts must be 0 or 1; got 2"),
        (lambda a: a | {"actions": a["actions"][:-1]}, "all keys must have as many rows"),
        (lambda a: {key: value[:0] for key, value in a.items()}, "has no rows; record"),
        (lambda a: a | {"infos/qvel": a["infos/qvel"][:-1]}, "infos/qvel has 1499 rows and observations 1500"),
    ],
)
def test_a_wrong_layout_is_named(tmp_path, arrays, change, message):
    path = _save(tmp_path / "maze.hdf5", change(arrays))
    with pytest.raises(UserError, match=message) as caught:
        read_recorded(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["observations", "actions"])
def test_rows_of_another_length_are_of_something_else(tmp_path, arrays, key):
    for width in (0, 1):
        other = {**_without(arrays, "infos"), key: np.zeros((NUM_STEPS, width), np.float32)}
        with pytest.raises(UserError, match=rf"{key} of length {width}.*; a maze2d dataset has 4 .* and 2: choose"):
            read_recorded(_save(tmp_path / "a.hdf5", other))


@pytest.mark.parametrize("key", ["actions", "infos/qvel"])
def test_rows_that_are_not_finite_are_counted_and_named(tmp_path, arrays, key):
    broken = arrays[key].copy()
    broken[[7, 9], 1] = np.nan, np.inf
    with pytest.raises(UserError, match=f"row 7: {key} has NaN or infinity, one of 2 rows"):
        read_recorded(_save(tmp_path / "maze.hdf5", arrays | {key: broken}))


@pytest.mark.filterwarnings("error")
def test_what_single_precision_cannot_hold_is_not_finite(tmp_path, arrays):
    large = arrays["actions"].astype(np.float64)
    large[7, 0] = 1e300
    with pytest.raises(UserError, match="row 7: actions has NaN or infinity, one of 1 row"):
        read_recorded(_save(tmp_path / "maze.hdf5", arrays | {"actions": large}))
