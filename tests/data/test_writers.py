"""What is written in any layout is read back as it was, whatever trajectories hold or lack, by Minari too."""

import json
import zipfile
from dataclasses import fields, replace

import h5py
import numpy as np
import pytest
from robot_data import robot
from robot_data import trajectories as recorded

from dfplan.data.formats import read, write
from dfplan.errors import UserError
from dfplan.types import Bounds, Trajectories

NOT_KEPT = ("source", "checksum", "notes")


def trajectories(seed):
    """Of random sizes, with a random choice of what may be absent."""
    generator = np.random.default_rng(seed)
    lengths = generator.integers(1, 6, size=generator.integers(1, 5))
    rows, size, actions = int(lengths.sum()), *generator.integers(1, 5, size=2).tolist()

    def perhaps(value):
        return value if generator.random() < 0.6 else None

    def flags():
        return generator.random(rows) < 0.3

    def normal(*shape):
        return generator.normal(size=shape).astype(np.float32)

    return Trajectories(
        observations=normal(rows, size),
        actions=normal(rows, actions),
        starts=np.append(0, np.cumsum(lengths)),
        segment_ends=flags(),
        source="made here",
        rewards=perhaps(normal(rows)),
        terminations=perhaps(flags()),
        truncations=perhaps(flags()),
        last_actions=bool(generator.random() < 0.5),
        action_bounds=perhaps(Bounds(-np.ones(actions, np.float32), np.ones(actions, np.float32))),
        step_seconds=perhaps(0.03),
        goals=perhaps(normal(rows, 2)),
        achieved_goals=perhaps(normal(rows, 1)),
        observation_names=perhaps(tuple(f"joint {index}" for index in range(size))) or (),
        action_names=perhaps(tuple(f"motor {index}" for index in range(actions))) or (),
    )


def assert_same(first, second, name):
    if isinstance(first, Bounds):
        np.testing.assert_array_equal([first.low, first.high], [second.low, second.high])
    elif isinstance(first, np.ndarray):
        assert (first.dtype, first.shape) == (second.dtype, second.shape), name
        np.testing.assert_array_equal(first, second, err_msg=name)
    else:
        assert first == second, name


def assert_all_same(data, again):
    for each in fields(Trajectories):
        if each.name not in NOT_KEPT:
            assert_same(getattr(data, each.name), getattr(again, each.name), each.name)


NEEDED = {"minari:mine/robot-v0": "minari", "robot": "pyarrow", "robot.hdf5": "h5py"}


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))


def has_step(data):
    """Whether there is an episode with an action and what came of it; there must be, for Minari and D4RL."""
    return (np.diff(data.starts) > 1).any()


@pytest.mark.parametrize("target", NEEDED)
@pytest.mark.parametrize("seed", range(20))
def test_what_was_written_is_read_back(target, seed):
    pytest.importorskip(NEEDED[target])
    data = trajectories(seed)
    if not has_step(data):
        pytest.skip("no step in it")
    write(data, target, task="push", fps=20)
    assert_all_same(data, read(target))


@pytest.mark.parametrize("target", NEEDED)
@pytest.mark.parametrize("with_finals", [True, False])
def test_a_recorded_data_set_goes_from_layout_to_layout(target, with_finals):
    pytest.importorskip(NEEDED[target])
    data = replace(recorded(robot()), step_seconds=0.05, action_bounds=Bounds(*np.float32([[-1, -1], [1, 1]])))
    if with_finals:  # rows as Minari has them: nothing is done in the last one of an episode
        steps = {name: each.copy() for name, each in data.per_row().items()}
        last = data.starts[1:] - 1
        for name in ("actions", "rewards", "truncations"):
            steps[name][last] = 0
        steps["truncations"][last - 1] = True
        data = replace(data, last_actions=False, **steps)
    write(data, target)
    again = read(target)
    assert_all_same(data, again)
    write(again, "second.hdf5")
    assert_all_same(data, read("second.hdf5"))


def test_minari_loads_what_was_written():
    minari = pytest.importorskip("minari")
    data = replace(trajectories(3), last_actions=False, observation_names=())
    goals = np.zeros((len(data), 2), np.float32)
    for name, facts in (("mine/plain-v0", {"goals": None}), ("mine/goals-v0", {"goals": goals})):
        changed = replace(data, achieved_goals=goals, **facts)
        write(changed, f"minari:{name}", task="push the block")
        dataset = minari.load_dataset(name)
        lengths = np.diff(data.starts)
        assert dataset.total_episodes == (lengths > 1).sum()
        assert dataset.total_steps == (lengths[lengths > 1] - 1).sum()
        assert dataset.storage.metadata["description"] == "push the block"
        kept = [number for number in range(len(lengths)) if lengths[number] > 1]
        for number, episode in zip(kept, dataset.iterate_episodes(), strict=True):
            rows = slice(data.starts[number], data.starts[number + 1])
            observed = episode.observations["observation"] if facts["goals"] is not None else episode.observations
            np.testing.assert_array_equal(observed, data.observations[rows])
            np.testing.assert_array_equal(episode.actions, data.actions[rows][:-1])
            assert episode.terminations[-1] or episode.truncations[-1]
        assert dataset.sample_episodes(1)


def test_a_d4rl_file_has_d4rls_keys_and_an_end_for_each_episode():
    data = recorded(robot())
    write(data, "robot.hdf5")
    with h5py.File("robot.hdf5") as file:
        assert set(file) == {"observations", "actions", "rewards", "terminals", "timeouts"}
        np.testing.assert_array_equal(np.flatnonzero(file["timeouts"]), data.starts[1:] - 1)


@pytest.mark.parametrize("target", ["minari:mine/robot-v0", "robot.hdf5"])
def test_what_was_changed_in_our_own_part_is_refused(target, tmp_path):
    pytest.importorskip(NEEDED[target])
    write(replace(recorded(robot()), step_seconds=0.05), target)
    if target == "robot.hdf5":
        with h5py.File(target, "a") as file:
            file.attrs["metadata"] = json.dumps({"dfplan": {"absent": ["pickles"]}})
        (tmp_path / "robot.hdf5.sha256").unlink()
    else:
        (own,) = tmp_path.rglob("dfplan.npz")
        own.write_bytes(own.read_bytes()[:-30])
        assert not zipfile.is_zipfile(own)
    with pytest.raises(UserError, match="take it out"):
        read(target)


def test_the_folder_has_the_files_that_lerobot_looks_for(tmp_path):
    pytest.importorskip("pyarrow")
    folder = write(trajectories(0), tmp_path / "a", task="push", fps=20)
    found = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert found == [
        "data/chunk-000/file-000.parquet",
        "meta/episodes/chunk-000/file-000.parquet",
        "meta/info.json",
        "meta/stats.json",
        "meta/tasks.parquet",
    ]
    assert [each.name for each in tmp_path.iterdir()] == ["a"]


NO_ACTIONS = {"actions": np.zeros((len(trajectories(0)), 0)), "action_bounds": None, "action_names": ()}


@pytest.mark.parametrize(
    ("changes", "target", "said"),
    [
        ({"step_seconds": None}, "robot", "give fps"),
        (NO_ACTIONS, "robot", "has no actions"),
        (NO_ACTIONS, "robot.hdf5", "has no actions"),
        (NO_ACTIONS, "minari:mine/robot-v0", "has no actions"),
        ({}, "robot.npz", "that end in '.npz' are not written; choose minari:"),
        ({}, "minari:a name", "is no name of a data set"),
        ({"starts": np.arange(len(trajectories(0)) + 1), "last_actions": False}, "robot.hdf5", "has no step"),
        ({"starts": np.arange(len(trajectories(0)) + 1)}, "minari:mine/robot-v0", "has no step"),
    ],
)
def test_what_a_layout_needs_and_is_not_there_is_named(tmp_path, changes, target, said):
    if target in NEEDED:
        pytest.importorskip(NEEDED[target])
    with pytest.raises(UserError, match=said):
        write(replace(trajectories(0), **changes), target)
    assert not [each for each in tmp_path.rglob("*") if each.is_file()]


def test_what_was_put_together_by_hand_is_written_in_single_precision():
    data = recorded(robot())
    by_hand = {
        "observations": data.observations.astype(">f8"),
        "actions": data.actions.tolist(),
        "rewards": data.rewards[:, None],
        "terminations": data.terminations.astype(int),
        "starts": data.starts.tolist(),
    }
    write(replace(data, **by_hand), "robot.hdf5")
    assert_all_same(data, read("robot.hdf5"))


@pytest.mark.parametrize("target", ["robot.hdf5", "robot", "minari:mine/robot-v0"])
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rewards": np.zeros(3, np.float32)}, "rewards has 3 rows"),
        ({"rewards": np.zeros((480, 2))}, "rewards must be one number a row"),
        ({"observations": None}, "has no observations"),
        ({"observations": np.full((480, 4), np.nan)}, "observations has NaN"),
        ({"observations": np.full((480, 4), "x")}, "observations must be rows of numbers"),
        ({"terminations": np.full(480, 2)}, "terminations must be 0 or 1"),
        ({"starts": np.arange(1, 482)}, "episodes end at row 481"),
        ({"starts": np.array([5, 480])}, "starts must begin with 0"),
        ({"observation_names": ("x",)}, "must name all 4 numbers"),
        ({"action_bounds": Bounds(np.ones(2), -np.ones(2))}, "action_bounds must be"),
        ({"step_seconds": 0.0}, "step_seconds must be above 0"),
        ({"pictures": {"eye": np.zeros((480, 8, 8, 3), np.uint8)}}, "pictures, which are not written"),
    ],
)
def test_what_was_put_together_by_hand_must_fit_together(changes, said, target):
    with pytest.raises(UserError, match=said):
        write(replace(recorded(robot()), **changes), target, fps=20)
    with pytest.raises(UserError, match=r"what is written are dfplan\.Trajectories"):
        write("robot.hdf5", target, fps=20)


@pytest.mark.parametrize("fps", [0, -1, float("nan"), "20"])
def test_frames_a_second_are_a_number_above_0(fps):
    pytest.importorskip("pyarrow")
    with pytest.raises(UserError, match="fps must be a number"):
        write(recorded(robot()), "robot", fps=fps)


@pytest.mark.parametrize("target", NEEDED)
def test_what_is_there_stays(target):
    pytest.importorskip(NEEDED[target])
    data = trajectories(0)
    write(data, target, fps=20)
    with pytest.raises(UserError, match="there already"):
        write(trajectories(1), target, fps=20)
    assert_all_same(data, read(target))
