"""A local Minari dataset of PointMaze's format, recorded here from our own maze in PointMaze's coordinates."""

import subprocess
import sys

import gymnasium
import h5py
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec

from dfplan.data.d4rl_file import hash_file
from dfplan.data.formats.minari_file import MAIN_FILE
from dfplan.domains.maze.pointmaze import is_pointmaze, to_d4rl_coordinates
from dfplan.domains.maze.recorded import read_recorded
from dfplan.domains.maze.sources import load_trajectories
from dfplan.errors import UserError
from dfplan_envs import build_maze

minari = pytest.importorskip("minari")
from minari.data_collector import EpisodeBuffer  # noqa: E402 (needs the line above)

pytestmark = pytest.mark.filterwarnings("ignore:`.*` is set to None:UserWarning")  # authors of a test dataset
MAZE = build_maze("umaze")
DATASET = "D4RL/pointmaze/umaze-test-v0"
SOURCE = f"minari:{DATASET}"
BOX = spaces.Box(-np.inf, np.inf, (4,), np.float64)
POINT = spaces.Box(-np.inf, np.inf, (2,), np.float64)
SPACE = spaces.Dict({"observation": BOX, "achieved_goal": POINT, "desired_goal": POINT})


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    """An empty Minari store; the location is read from the environment at every call."""
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    return tmp_path


def _record(lengths, *, joined=()):
    """Drive at random in the umaze of D4RL; return per episode observations (T + 1, 4) and actions (T, 2), float64."""
    env = gymnasium.make("maze2d-umaze-v1", max_episode_steps=10_000)
    generator = np.random.default_rng(0)
    episodes, last = [], None
    for number, length in enumerate(lengths):
        observed = [last if number in joined else env.reset(seed=number)[0]]
        acted = generator.uniform(-1, 1, size=(length, 2)).astype(np.float32)
        observed += [env.step(action)[0] for action in acted]
        last = observed[-1]
        episodes.append((np.array(observed), acted))
    return episodes


def _to_pointmaze(observations, actions):
    """The inverse of `to_d4rl_coordinates`, from the maps of Gymnasium-Robotics."""
    x, y, vx, vy = observations.T
    rows, columns = MAZE.walls.shape
    turned = np.stack([y + 0.7 - columns / 2, rows / 2 - 0.7 - x, vy, -vx], axis=1)
    return turned, np.stack([actions[:, 1], -actions[:, 0]], axis=1)


def _create(episodes, *, space=SPACE, observation=None):
    buffers = []
    for number, (observed, acted) in enumerate(episodes):
        turned, turned_actions = _to_pointmaze(observed, acted)
        entry = {"observation": turned, "achieved_goal": turned[:, :2], "desired_goal": turned[:, :2]}
        buffers.append(
            EpisodeBuffer(
                id=number,
                observations=entry if observation is None else observation(turned),
                actions=turned_actions,
                rewards=[0.0] * len(acted),
                terminations=[False] * len(acted),
                truncations=[False] * (len(acted) - 1) + [True],
            )
        )
    return minari.create_dataset_from_buffers(
        DATASET,
        buffer=buffers,
        env=EnvSpec("PointMaze_UMaze-v3", entry_point="dfplan_envs.maze_env:MazeEnv", kwargs={"maze_name": "umaze"}),
        action_space=spaces.Box(-1, 1, (2,), np.float32),
        observation_space=space,
        data_format="hdf5",
    )


def test_every_episode_becomes_a_trajectory_with_one_row_more_than_actions():
    episodes = _record([5, 1, 8])
    _create(episodes)
    data = read_recorded(SOURCE)
    assert data.starts.tolist() == [0, 6, 8, 17]
    for number, (observed, acted) in enumerate(episodes):
        rows = slice(data.starts[number], data.starts[number + 1])
        turned, turned_actions = _to_pointmaze(observed, acted)
        np.testing.assert_array_equal(data.observations[rows], turned.astype(np.float32))
        np.testing.assert_array_equal(data.actions[rows][:-1], turned_actions)
        assert not data.actions[rows][-1].any()
    assert np.flatnonzero(data.segment_ends).tolist() == [5, 7, 16]
    assert np.flatnonzero(data.truncations).tolist() == [4, 6, 15]  # of the last action, one row before
    assert not data.terminations.any()
    assert data.rewards.shape == (17,)
    assert data.source == f"minari:{DATASET}"


def test_an_episode_that_goes_on_where_the_last_one_ended_is_joined_to_it():
    episodes = _record([5, 4, 3, 6], joined=(1, 2))
    _create(episodes)
    data = read_recorded(SOURCE)
    assert data.starts.tolist() == [0, 13, 20]
    assert np.flatnonzero(data.segment_ends).tolist() == [5, 9, 12, 19]
    driven = np.concatenate([acted for _, acted in episodes[:3]])
    np.testing.assert_array_equal(data.actions[:12], _to_pointmaze(np.zeros((12, 4)), driven)[1])


def test_the_way_to_d4rl_coordinates_gives_back_the_trajectory_of_d4rls_ball():
    episodes = _record([50])
    _create(episodes)
    assert is_pointmaze(DATASET)
    data = to_d4rl_coordinates(read_recorded(SOURCE), num_rows=MAZE.walls.shape[0], num_columns=MAZE.walls.shape[1])
    np.testing.assert_allclose(data.observations, episodes[0][0], atol=1e-6)
    np.testing.assert_array_equal(data.actions[:-1], episodes[0][1])


def test_plain_vector_observations_are_read_as_well():
    _create(_record([5]), space=BOX, observation=lambda turned: turned)
    assert read_recorded(SOURCE).observations.shape == (6, 4)


def test_the_checksum_is_that_of_the_one_data_file(store):
    _create(_record([5]))
    (file,) = store.rglob(MAIN_FILE)
    assert read_recorded(SOURCE).checksum == hash_file(file)


def test_a_dataset_that_is_not_there_names_the_command_that_fetches_it():
    with pytest.raises(UserError, match="minari download D4RL/pointmaze/large-v2"):
        read_recorded("minari:D4RL/pointmaze/large-v2")


def test_a_dataset_whose_description_is_damaged_is_refused(store):
    _create(_record([5]))
    (description,) = store.rglob("umaze-test-v0/data/metadata.json")
    description.write_text(description.read_text()[:100])
    with pytest.raises(UserError, match="cannot open"):
        read_recorded(SOURCE)


@pytest.mark.parametrize("share", [0.0, 0.4, 0.95])
def test_a_truncated_file_is_named_as_damaged(store, share):
    _create(_record([5, 8]))
    (file,) = store.rglob(MAIN_FILE)
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    with pytest.raises(UserError, match=f"damaged .*; fetch it again with minari download {DATASET} --force"):
        read_recorded(SOURCE)


def _spoil(store, episode, key, change):
    """Change an array of an episode of the dataset, as it lies on the disk."""
    (file,) = store.rglob(MAIN_FILE)
    with h5py.File(file, "a") as data:
        group = data[f"episode_{episode}"]
        array = group[key][()]
        del group[key]
        group[key] = change(array)


def _make_infinite(array):
    array[3] = 1e300  # more than single precision holds
    return array


def test_episodes_that_do_not_fit_are_named_and_left_out_on_request(store):
    episodes = _record([5, 8, 6, 7])
    _create(episodes)
    _spoil(store, 1, "observations/observation", lambda array: array[:-1])
    _spoil(store, 3, "observations/observation", _make_infinite)
    with pytest.raises(
        UserError, match=r"episode 1: must have one more .* 9; got .* 8} \(and 1 more episode at fault\)"
    ) as caught:
        read_recorded(SOURCE)
    assert str(caught.value).endswith("; leave_out=[1,3] reads the rest")
    with pytest.raises(UserError, match=r"episode 3, row 3: observations has NaN or infinity.*; leave_out=\[1,3\]"):
        read_recorded(SOURCE, leave_out=[1])
    data = read_recorded(SOURCE, leave_out=[1, 3])
    assert data.starts.tolist() == [0, 6, 13]
    assert data.notes == ("left out as asked: episodes 1, 3",)
    with pytest.raises(UserError, match=r"has no episodes \[7\] that leave_out= names"):
        read_recorded(SOURCE, leave_out=[1, 3, 7])


def test_a_training_may_leave_episodes_out(store):
    _create(_record([50, 80]))
    _spoil(store, 1, "actions", lambda array: array[:-1])
    said = []
    with pytest.raises(UserError, match=r"leave_out=\[1\]"):
        load_trajectories(f"minari:{DATASET}", env_id="maze2d-umaze-v1", cache_folder=store)
    data = load_trajectories(
        f"minari:{DATASET}", env_id="maze2d-umaze-v1", cache_folder=store, leave_out=[1], say=said.append
    )
    assert len(data) == 51
    assert said[1:] == [f"minari:{DATASET}: left out as asked: episodes 1"]
    with pytest.raises(UserError, match="leave_out names episodes of a minari: dataset, and data=generated is none"):
        load_trajectories("generated", env_id="maze2d-umaze-v1", cache_folder=store, leave_out=[1])


def test_a_dataset_of_faulty_episodes_alone_is_not_to_be_left_out(store):
    _create(_record([5]))
    _spoil(store, 0, "observations/observation", lambda array: array[:-1])
    with pytest.raises(UserError, match=r"6; got .* 5}; choose another data set"):
        read_recorded(SOURCE)


def test_episodes_without_a_step_are_counted_and_named(store):
    _create(_record([5, 4, 6]))
    for key in ("observation", "achieved_goal", "desired_goal"):
        _spoil(store, 1, f"observations/{key}", lambda array: array[:1])
    for key in ("actions", "rewards", "terminations", "truncations"):
        _spoil(store, 1, key, lambda array: array[:0])
    data = read_recorded(SOURCE)
    assert data.starts.tolist() == [0, 6, 13]
    assert data.notes == ("left out, as they are without a step: episodes 1",)


def test_an_episode_is_cut_where_its_collector_left_steps_out(store):
    (observed, acted), other = _record([300, 40])
    _create([(np.delete(observed, np.arange(100, 140), axis=0), acted[40:]), other])
    data = read_recorded(SOURCE)
    assert data.starts.tolist() == [0, 100, 261, 302]
    assert data.notes[0].startswith("cut at 1 impossible step, the first from row 99 to row 100")


def test_a_dataset_that_a_recorder_has_open_is_not_called_damaged(store):
    _create(_record([5]))
    (file,) = store.rglob(MAIN_FILE)
    hold = "import h5py, sys; file = h5py.File(sys.argv[1], 'a'); print('open', flush=True); sys.stdin.read()"
    recorder = subprocess.Popen(
        [sys.executable, "-c", hold, file], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    recorder.stdout.readline()
    with pytest.raises(UserError, match="another program has it open"):
        read_recorded(SOURCE)
    recorder.communicate("")
    assert len(read_recorded(SOURCE)) == 6


def test_rows_that_are_not_finite_and_entries_that_are_missing_are_named():
    episodes = _record([5, 8])
    episodes[1][0][3, 2] = np.nan
    _create(episodes)
    with pytest.raises(UserError, match="episode 1, row 3: observations has NaN or infinity"):
        read_recorded(SOURCE)
    minari.delete_dataset(DATASET)
    _create(
        _record([5]), space=spaces.Dict({"achieved_goal": POINT}), observation=lambda t: {"achieved_goal": t[:, :2]}
    )
    with pytest.raises(UserError, match="has observations of length 2 and actions of length 2; a maze2d dataset has 4"):
        read_recorded(SOURCE)
