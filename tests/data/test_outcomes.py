"""What actions earned and how episodes ended: read from the files that say so, carried by all that cuts or divides."""

import numpy as np
import pytest

from dfplan.data.d4rl_file import write_d4rl
from dfplan.data.split import hold_out
from dfplan.domains.maze.generate import generate_maze2d
from dfplan.domains.maze.recorded import cut_jumps, read_recorded
from dfplan.errors import UserError
from dfplan.types import Trajectories


@pytest.fixture(scope="module")
def arrays():
    return generate_maze2d("maze2d-umaze-v1", num_steps=400, seed=0)


def test_a_d4rl_file_gives_rewards_and_both_kinds_of_ends(tmp_path, arrays):
    rewards = np.arange(400, dtype=np.float32)
    terminals = np.zeros(400, bool)
    terminals[250] = True
    path = write_d4rl(tmp_path / "maze.hdf5", {**arrays, "rewards": rewards, "terminals": terminals}, metadata={})
    data = read_recorded(path)
    ends = data.starts[1:] - 1
    assert 250 in ends
    assert not data.rewards[ends].any()  # of an action that is not kept
    np.testing.assert_array_equal(np.delete(data.rewards, ends), np.delete(rewards, ends))
    np.testing.assert_array_equal(data.terminations, terminals)
    np.testing.assert_array_equal(data.truncations, arrays["timeouts"])


def test_what_a_file_does_not_say_is_none_and_not_zero(tmp_path, arrays):
    few = {key: value for key, value in arrays.items() if key not in ("rewards", "terminals")}
    data = read_recorded(write_d4rl(tmp_path / "maze.hdf5", few, metadata={}))
    assert data.rewards is None
    assert data.terminations is None
    assert data.truncations is not None
    assert set(data.per_row()) == {"observations", "actions", "segment_ends", "truncations"}


def test_dividing_and_cutting_keep_the_rows_of_all_arrays_together():
    rows = 300
    ramp = np.arange(rows, dtype=np.float32)
    position = 0.01 * ramp
    position[200:] += 5
    data = Trajectories(
        observations=np.stack([position, 0 * ramp, ramp >= 0, 0 * ramp], axis=1),
        actions=ramp[:, None],
        starts=np.array([0, 100, rows]),
        segment_ends=np.zeros(rows, bool),
        source="made here",
        rewards=ramp,
        terminations=ramp == 99,
        truncations=ramp == 299,
        goals=ramp[:, None],
        achieved_goals=-ramp[:, None],
    )
    first, second = hold_out(data, share=0.4)
    assert first.rewards.tolist() == ramp[:180].tolist()
    assert second.goals[:, 0].tolist() == ramp[180:].tolist()
    assert np.flatnonzero(second.truncations).tolist() == [119]
    cut = cut_jumps(data)
    assert cut.starts.tolist() == [0, 100, 200, 300]
    assert cut.rewards[199] == 0
    assert data.rewards[199] == 199
    assert all(len(array) == rows for array in cut.per_row().values())
    assert data.constant_dimensions().tolist() == [False, True, True, True]


def test_rewards_that_are_not_numbers_are_refused_as_of_any_data(tmp_path, arrays):
    path = write_d4rl(tmp_path / "maze.hdf5", {**arrays, "rewards": np.full(400, np.nan, np.float32)}, metadata={})
    with pytest.raises(UserError, match="episode 0, row 0: rewards has NaN or infinity, one of 400 rows"):
        read_recorded(path)


def test_a_dimension_that_varies_late_is_not_called_constant():
    rows = 3000
    observations = np.zeros((rows, 3), np.float32)
    observations[2500, 1] = 1
    observations[5, 2] = 1
    data = Trajectories(observations, observations[:, :1], np.array([0, rows]), np.zeros(rows, bool), "made here")
    assert data.constant_dimensions().tolist() == [True, False, False]
