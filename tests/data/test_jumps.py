"""What no motion can have done is found and cut, wherever it is; what was recorded as it happened is left alone."""

from functools import cache

import numpy as np
import pytest

from dfplan.data.jumps import find_jumps, step_times
from dfplan.domains.maze.generate import generate_maze2d
from dfplan.domains.maze.recorded import cut_jumps
from dfplan.types import Trajectories

NUM_ROWS = 4000


def trajectories(observations, *, ends=()):
    rows = len(observations)
    segment_ends = np.zeros(rows, bool)
    segment_ends[list(ends)] = True
    return Trajectories(
        observations=observations,
        actions=np.ones((rows, 2), np.float32),
        starts=np.unique([0, *(end + 1 for end in ends), rows]),
        segment_ends=segment_ends,
        source="a recorder",
    )


@pytest.fixture(scope="module")
def states():
    """States of a ball in one unbroken trajectory, float32."""
    arrays = generate_maze2d("maze2d-umaze-v1", num_steps=NUM_ROWS, seed=0)
    return np.hstack([arrays["infos/qpos"], arrays["infos/qvel"]])


def jumps_of(observations, **kwargs):
    return np.flatnonzero(find_jumps(trajectories(observations, **kwargs), num_axes=2)).tolist()


@cache
def recorded(env_id):
    arrays = generate_maze2d(env_id, num_steps=10_000, seed=1)
    return np.hstack([arrays["infos/qpos"], arrays["infos/qvel"]])


@pytest.mark.parametrize("maze", ["umaze-v1", "medium-v1", "large-v1", "eval-umaze-v1", "open-v0"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("width", [2, 4], ids=["positions", "positions and velocities"])
def test_recorded_motion_has_no_jump(maze, dtype, width):
    data = trajectories(recorded(f"maze2d-{maze}")[:, :width].astype(dtype))
    assert cut_jumps(data) is data


@pytest.mark.parametrize("noise", [0.001, 0.01, 0.1])
@pytest.mark.parametrize("width", [2, 4])
def test_sensor_noise_is_no_jump(states, noise, width):
    noisy = states + np.random.default_rng(0).normal(size=states.shape) * noise
    assert jumps_of(noisy[:, :width]) == []


def test_wild_joints_at_rest_at_times_are_not_taken_for_rows_taken_out():
    """As of a walker of poor policies: velocities turn within a row of four steps, and are cut to a range."""
    rng, kept, inside = np.random.default_rng(0), 0.9, 4
    pushes = 6 * np.sqrt(1 - kept**2) * rng.normal(size=inside * NUM_ROWS)
    for step in range(1, len(pushes)):
        pushes[step] += kept * pushes[step - 1]
    velocities = pushes * np.repeat(np.where(rng.random(NUM_ROWS // 20) > 0.5, 1, 0.02), 20 * inside)
    places = np.cumsum(0.002 * velocities)
    observations = np.stack([places, np.clip(velocities, -10, 10)], axis=1)[inside - 1 :: inside]
    assert find_jumps(trajectories(observations.astype(np.float32)), num_axes=1).sum() == 0


def test_a_still_agent_and_one_that_starts_and_stops_do_not_jump():
    assert jumps_of(np.zeros((200, 4))) == []
    rest = np.zeros((3000, 2))
    rest[1000:1050, 0] = rest[2000:2050, 0] = 0.05
    assert jumps_of(np.cumsum(rest, axis=0)) == []


@pytest.mark.parametrize("removed", [1, 2, 5, 100])
def test_rows_that_were_taken_out_are_found(states, removed):
    speeds, found = np.abs(states[:, 2:]).max(axis=1), 0
    places = np.random.default_rng(removed).integers(10, NUM_ROWS - 200, size=50)
    for first in places:
        kept = np.delete(states, np.arange(first, first + removed), axis=0)
        expected = (
            [first - 1] if np.abs(kept[first, :2] - kept[first - 1, :2]).max() > 0.02 + speeds.max() / 100 else []
        )
        jumps = jumps_of(kept)
        assert set(expected) <= set(jumps) <= {first - 1}
        found += len(jumps)
    assert found >= 48


@pytest.mark.parametrize("share", [0.005, 0.05, 0.2])
def test_resets_without_a_flag_are_found_however_many(states, share):
    generator = np.random.default_rng(0)
    ends = np.sort(generator.choice(np.arange(20, NUM_ROWS - 20), int(share * NUM_ROWS), replace=False))
    pieces = np.split(states, ends + 1)
    order = generator.permutation(len(pieces))
    shuffled = np.concatenate([pieces[index] for index in order])
    ends = np.cumsum([len(pieces[index]) for index in order])[:-1] - 1
    far = ends[np.abs(shuffled[ends + 1, :2] - shuffled[ends, :2]).max(axis=1) > 0.1]
    jumps = jumps_of(shuffled)
    assert set(far) <= set(jumps) <= set(ends)
    assert len(far) > 0.8 * len(ends)


def test_without_velocities_only_what_is_far_longer_than_the_steps_around_is_a_jump(states):
    kept = np.delete(states, np.arange(1000, 1100), axis=0)[:, :2]
    assert np.abs(kept[1000] - kept[999]).max() > 0.3
    assert jumps_of(kept) == [999]


def test_a_step_across_a_flagged_end_is_no_step(states):
    kept = np.delete(states, np.arange(1000, 1100), axis=0)
    assert jumps_of(kept, ends=[999]) == []
    assert jumps_of(kept[:, :2], ends=[999]) == []


def test_velocities_that_leap_are_a_jump(states):
    wild = states.copy()
    wild[500, 3] = 1e6
    assert jumps_of(wild) == [499, 500]


def test_trajectories_are_cut_at_jumps_and_lone_rows_left_out(states):
    wild = np.delete(states, np.arange(1000, 1100), axis=0)
    wild[500, 0] += 3
    data = cut_jumps(trajectories(wild, ends=[2000]))
    assert data.starts.tolist() == [0, 500, 999, 2000, len(wild) - 1]
    np.testing.assert_array_equal(data.observations, np.delete(wild, 500, axis=0))
    last = data.starts[1:] - 1
    assert not data.actions[last[:-1]].any()
    assert (np.delete(data.actions, last, axis=0) == 1).all()
    assert data.segment_ends.sum() == 1
    (note,) = data.notes
    assert note.startswith("cut at 3 impossible steps, the first from row 499 to row 500 (")
    assert note.endswith("; left out 1 row that no other continues")
    assert cut_jumps(data) is data


def test_rows_are_named_by_the_numbers_they_are_given(states):
    wild = np.delete(states, np.arange(1000, 1100), axis=0)
    data = cut_jumps(trajectories(wild), row_numbers=10 + 2 * np.arange(len(wild)))
    assert "the first from row 2008 to row 2010" in data.notes[0]


def test_a_motion_of_many_axes_and_coarse_frames_is_judged_by_its_own_measure():
    """Point masses that are pushed at random between two frames: velocities say little of the steps, and none jumps."""
    generator = np.random.default_rng(0)
    position, velocity, frames = np.zeros(6), np.zeros(6), []
    for _ in range(2000):
        frames.append(np.concatenate([position, velocity]))
        for action in generator.uniform(-1, 1, size=(5, 6)):
            velocity = 0.98 * velocity + 0.5 * action
            position = position + 0.01 * velocity
    frames = np.array(frames)
    assert not find_jumps(trajectories(frames), num_axes=6).any()
    frames[1000:, 2] += 30
    assert np.flatnonzero(find_jumps(trajectories(frames), num_axes=6)).tolist() == [999]


def test_few_rows_are_not_judged(states):
    assert jumps_of(states[[0, 300, 600, 900]]) == []
    assert jumps_of(states[:1]) == []
    pairs = range(1, NUM_ROWS, 2)
    assert jumps_of(states[:, :2], ends=pairs) == jumps_of(states, ends=pairs) == []


@pytest.mark.parametrize("every", [3, 4, 5, 7, 10, 20])
def test_rows_that_were_taken_out_again_and_again_are_found(states, every):
    kept = np.flatnonzero(np.arange(NUM_ROWS) % every)
    moves = np.abs(np.diff(states[kept, :2], axis=0)).max(axis=1)
    gaps = np.flatnonzero(np.diff(kept) > 1)
    jumps = jumps_of(states[kept])
    assert set(jumps) <= set(gaps)
    assert len(jumps) > 0.9 * np.count_nonzero(moves[gaps] > 0.02)


@pytest.mark.parametrize("share", [0.3, 0.5, 0.6, 0.7])
def test_rows_that_were_taken_out_at_random_are_found_even_if_they_are_most(states, share):
    kept = np.flatnonzero(np.random.default_rng(0).random(NUM_ROWS) > share)
    moves = np.abs(np.diff(states[kept, :2], axis=0)).max(axis=1)
    gaps = np.flatnonzero(np.diff(kept) > 1)
    jumps = jumps_of(states[kept])
    assert set(jumps) <= set(gaps)
    assert len(jumps) > 0.9 * np.count_nonzero(moves[gaps] > 0.02)


def test_a_trajectory_at_three_times_the_speed_is_cut_from_one_that_is_not(states):
    fast, length = np.arange(0, 3200, 3), 1067
    kept = np.concatenate([fast, np.arange(3200, NUM_ROWS)])
    jumps = jumps_of(states[kept], ends=[length - 1])
    assert set(jumps) <= set(range(length - 1))
    moves = np.abs(np.diff(states[fast, :2], axis=0)).max(axis=1)
    assert len(jumps) > 0.9 * np.count_nonzero(moves > 0.02)


def test_velocities_are_told_from_other_numbers(states):
    def times(observations):
        return step_times(trajectories(observations), num_axes=2)

    assert times(states) == pytest.approx({0: 0.01, 1: 0.01}, rel=1e-3)
    assert times(states[:, [0, 1, 3, 2]]) == {0: None, 1: None}
    assert times(states * [1, 1, 0, 1])[0] is None
    assert times(states * [1, 1, -1, 1])[0] is None
    assert times(states[np.random.default_rng(0).permutation(NUM_ROWS)]) == {0: None, 1: None}
    assert times(states[:, :2]) == {0: None, 1: None}
    assert times(states[:10]) == {}
    assert times(states * [1, 1, 60, 60]) == pytest.approx({0: 0.01 / 60, 1: 0.01 / 60}, rel=1e-3)  # in other units
