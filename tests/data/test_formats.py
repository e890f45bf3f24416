"""Data sets of every accepted layout, made here: what they hold arrives in full, what is wrong is named in a line."""

import json
import os
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from gymnasium import spaces

from dfplan.arrays import named_parts
from dfplan.data.formats import read
from dfplan.errors import UserError

LENGTHS = (4, 1, 3)
ENDS = np.cumsum(LENGTHS)
STARTS = [0, 4, 5, 8]
ROWS = int(ENDS[-1])
PUSHT = Path(os.environ.get("DFPLAN_PUSHT", "pusht_cchi_v7_states.npz"))


def numbers(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def flags(*rows):
    return np.isin(np.arange(ROWS), rows)


def save_hdf5(path, arrays, **attributes):
    with h5py.File(path, "w") as file:
        for key, value in arrays.items():
            file[key] = value
        for key, value in attributes.items():
            file["data"].attrs[key] = value
    return path


def d4rl(**changes):
    arrays = {
        "observations": numbers(ROWS, 5),
        "actions": numbers(ROWS, 3),
        "rewards": numbers(ROWS),
        "terminals": flags(4),
        "timeouts": flags(3, 7),
    }
    return {key: value for key, value in {**arrays, **changes}.items() if value is not None}


def test_d4rl_without_next_observations_keeps_the_last_action_and_all_flags(tmp_path):
    arrays = d4rl()
    data = read(save_hdf5(tmp_path / "a.hdf5", arrays))
    assert data.starts.tolist() == STARTS
    assert data.last_actions
    np.testing.assert_array_equal(data.observations, arrays["observations"])
    np.testing.assert_array_equal(data.actions, arrays["actions"])
    np.testing.assert_array_equal(data.rewards, arrays["rewards"])
    np.testing.assert_array_equal(data.terminations, arrays["terminals"])
    np.testing.assert_array_equal(data.truncations, arrays["timeouts"])


def test_d4rl_with_next_observations_has_the_final_one_of_each_episode(tmp_path):
    follows = np.roll(numbers(ROWS, 5), -1, axis=0)
    follows[ENDS - 1] = numbers(3, 5)
    data = read(save_hdf5(tmp_path / "a.hdf5", d4rl(next_observations=follows)))
    assert data.starts.tolist() == [0, 5, 7, 11]
    assert not data.last_actions
    np.testing.assert_array_equal(data.observations[data.starts[1:] - 1], numbers(3, 5))
    assert not data.actions[data.starts[1:] - 1].any()
    is_step = np.delete(np.arange(11), data.starts[1:] - 1)
    np.testing.assert_array_equal(data.rewards[is_step], numbers(ROWS))
    assert np.flatnonzero(data.terminations).tolist() == [5]


def test_an_end_without_its_flag_is_seen_by_the_next_observation_and_spoken_of(tmp_path):
    follows = np.roll(numbers(ROWS, 5), -1, axis=0)
    follows[5] += 1
    data = read(save_hdf5(tmp_path / "a.hdf5", d4rl(next_observations=follows)))
    assert len(data.starts) == 5
    assert data.notes == ("1 episodes end without a flag, the first at row 5 of the file",)


def robomimic_parts(length):
    return {
        "actions": numbers(length, 7),
        "rewards": numbers(length),
        "dones": np.arange(length) == length - 1,
        "obs/b_pos": numbers(length, 3),
        "obs/a_gripper": numbers(length, 1),
        "obs/image": np.zeros((length, 8, 8, 3), np.uint8),
        "next_obs/b_pos": numbers(length, 3) + 1,
        "next_obs/a_gripper": numbers(length, 1) + 1,
    }


def robomimic(**changes):
    arrays = {}
    for episode, length in enumerate(LENGTHS):
        arrays |= {f"data/demo_{episode}/{name}": each for name, each in robomimic_parts(length).items()}
    return {key: value for key, value in {**arrays, **changes}.items() if value is not None}


def test_robomimic_is_flattened_by_name_and_ends_in_the_last_next_observation(tmp_path):
    facts = json.dumps({"env_kwargs": {"control_freq": 20}})
    data = read(save_hdf5(tmp_path / "a.hdf5", robomimic(), env_args=facts))
    assert data.observation_names == ("a_gripper", "b_pos.0", "b_pos.1", "b_pos.2")
    assert data.starts.tolist() == [0, 5, 7, 11]
    np.testing.assert_array_equal(data.observations[:4, 1:], numbers(4, 3))
    np.testing.assert_array_equal(data.observations[4, 1:], numbers(4, 3)[-1] + 1)
    assert data.step_seconds == 0.05
    assert np.flatnonzero(data.terminations).tolist() == [3, 5, 9]
    assert "images are left out: image" in data.notes


def test_what_robomimic_has_besides_is_spoken_of(tmp_path):
    empty = {f"data/demo_1/{name}": each[:0] for name, each in robomimic_parts(1).items()}
    others = {"data/take_7/actions": numbers(2, 7), "mask/train": np.array([b"demo_0"])}
    data = read(save_hdf5(tmp_path / "A.HDF5", robomimic(**empty, **others)))
    assert data.starts.tolist() == [0, 5, 9]
    assert data.notes[1:] == (
        "left out, as they are without a step: demo_1",
        "left out, as their names are not demo_<number>: take_7",
        "all demonstrations are read, whatever filter they are in: train",
    )


@pytest.mark.parametrize("kind", ["f2", "f8", ">f4", ">f8", "i2", "?"])
def test_numbers_of_any_kind_and_rewards_in_a_column_are_read(tmp_path, kind):
    columns = {"rewards": numbers(ROWS, 1), "terminals": flags(4)[:, None].astype(kind)}
    data = read(save_hdf5(tmp_path / "a.hdf5", d4rl(observations=numbers(ROWS, 5).astype(kind), **columns)))
    np.testing.assert_array_equal(data.observations, numbers(ROWS, 5).astype(kind).astype(np.float32))
    np.testing.assert_array_equal(data.rewards, numbers(ROWS, 1)[:, 0])
    np.testing.assert_array_equal(data.terminations, flags(4))


def ogbench(**changes):
    arrays = {"observations": numbers(ROWS, 2), "actions": numbers(ROWS, 2), "terminals": flags(3, 4, 7)}
    return {key: value for key, value in {**arrays, **changes}.items() if value is not None}


def test_ogbench_episodes_end_by_time(tmp_path):
    np.savez(tmp_path / "a.npz", **ogbench())
    data = read(tmp_path / "a.npz")
    assert data.starts.tolist() == STARTS
    assert np.flatnonzero(data.truncations).tolist() == [3, 4, 7]
    assert data.terminations is None
    assert data.rewards is None


def save_zarr(folder, version=2, ends=ENDS, **changes):
    zarr = pytest.importorskip("zarr")
    arrays = {"action": numbers(ROWS, 2), "state": numbers(ROWS, 5), "keypoint": numbers(ROWS, 2, 2)}
    root = zarr.open_group(folder, mode="w", zarr_format=version)
    for name, value in {**arrays, "img": np.zeros((ROWS, 4, 4, 3), np.float32), **changes}.items():
        root.create_array(f"data/{name}", data=value)
    root.create_array("meta/episode_ends", data=np.asarray(ends))
    return folder


@pytest.mark.parametrize("version", [2, 3])
def test_diffusion_policys_folders_are_flattened_by_name(tmp_path, version):
    data = read(save_zarr(tmp_path / "a.zarr", version))
    assert data.starts.tolist() == STARTS
    assert data.observation_names == (
        *(f"keypoint.{each}" for each in range(4)),
        *(f"state.{each}" for each in range(5)),
    )
    np.testing.assert_array_equal(data.observations[:, 4:], numbers(ROWS, 5))
    assert data.notes == ("images are left out: img",)


def test_a_zarr_folder_packed_by_a_codec_that_could_run_code_is_not_opened(tmp_path):
    folder = save_zarr(tmp_path / "a.zarr")
    file = folder / "data" / "state" / ".zarray"
    file.write_text(json.dumps({**json.loads(file.read_text()), "filters": [{"id": "pickle"}]}))
    with pytest.raises(UserError, match=r"data/state is kept as float32 by .*pickle.*; numbers by"):
        read(folder)


def save_lerobot(folder, *, info=None, **changes):
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = {
        "observation.state": list(numbers(ROWS, 6)),
        "action": list(numbers(ROWS, 2)),
        "episode_index": np.repeat(np.arange(3), LENGTHS),
        "frame_index": np.concatenate([np.arange(each) for each in LENGTHS]),
        "next.reward": numbers(ROWS),
        "next.done": flags(3, 4, 7),
        "next.success": flags(2, 3),
    } | changes
    features = {name: {"dtype": "float32", "shape": [1], "names": None} for name in columns}
    features["action"]["names"] = {"motors": ["left", "right"]}
    features["observation.images.top"] = {"dtype": "video", "shape": [4, 4, 3], "names": None}
    facts = {"codebase_version": "v3.0", "fps": 10, "features": features} | (info or {})
    (folder / "meta").mkdir(parents=True)
    (folder / "meta" / "info.json").write_text(json.dumps(facts))
    (folder / "data" / "chunk-000").mkdir(parents=True)
    for number, rows in enumerate((slice(0, 5), slice(5, None))):
        table = arrow.table({name: arrow.array(column[rows]) for name, column in columns.items()})
        parquet.write_table(table, folder / "data" / "chunk-000" / f"file-{number:03d}.parquet")
    return folder


def test_lerobot_is_read_over_its_files(tmp_path):
    data = read(save_lerobot(tmp_path / "a"))
    assert data.starts.tolist() == STARTS
    assert data.last_actions
    np.testing.assert_array_equal(data.observations, numbers(ROWS, 6))
    np.testing.assert_array_equal(data.rewards, numbers(ROWS))
    assert np.flatnonzero(data.terminations).tolist() == [3]
    assert np.flatnonzero(data.truncations).tolist() == [4, 7]
    assert data.step_seconds == 0.1
    assert data.action_names == ("left", "right")
    assert data.notes == ("images are left out: observation.images.top",)


def test_lerobots_rows_of_rows_are_vectors_and_must_be_as_long_in_all_rows(tmp_path):
    square = numbers(ROWS, 3, 2)
    data = read(save_lerobot(tmp_path / "a", **{"observation.state": square.tolist()}))
    np.testing.assert_array_equal(data.observations, square.reshape(ROWS, 6))
    ragged = square.tolist()
    ragged[3][1] = [1.0]
    with pytest.raises(UserError, match=r"row 3: observation.state has 1 numbers, and 2 before"):
        read(save_lerobot(tmp_path / "b", **{"observation.state": ragged}))


def record_minari(observations, space):
    """A data set of the local store: episodes of 4, 1, 0 and 3 steps; observations by a function of how many."""
    minari = pytest.importorskip("minari")
    from minari.data_collector import EpisodeBuffer

    episodes = [
        EpisodeBuffer(
            id=number,
            observations=observations(length + 1),
            actions=numbers(length, 2),
            rewards=list(numbers(length)),
            terminations=[False] * (length - 1) + [True],
            truncations=[False] * length,
        )
        for number, length in enumerate((4, 1, 2, 3))
    ]
    box = spaces.Box(-1, 1, (2,), np.float32)
    dataset = minari.create_dataset_from_buffers(
        "mine/robot-v0", buffer=episodes, action_space=box, observation_space=space, data_format="hdf5"
    )
    with h5py.File(dataset.storage.data_path / "main_data.hdf5", "a") as file:  # Minari itself writes no empty episode
        episode = file["episode_2"]
        observed = [f"observations/{name.replace('.', '/')}" for name, _ in named_parts(space)]
        for key in ("actions", "rewards", "terminations", "truncations", *observed):
            kept = episode[key][: int(key.startswith("observations"))]
            del episode[key]
            episode[key] = kept


def boxes(sizes):
    """A space of boxes, or of dicts of them, of so many numbers."""
    if isinstance(sizes, dict):
        return spaces.Dict({name: boxes(each) for name, each in sizes.items()})
    return spaces.Box(-np.inf, np.inf, (sizes,), np.float32)


def shown(sizes, rows):
    return {name: shown(each, rows) if isinstance(each, dict) else numbers(rows, each) for name, each in sizes.items()}


GOAL = {"kettle": 1, "burner": {"top": 1}}


@pytest.mark.filterwarnings("ignore::UserWarning")  # of an author who is not named
@pytest.mark.parametrize(
    "sizes",
    [
        {"observation": 3, "achieved_goal": 2, "desired_goal": 2},
        {"observation": 3, "achieved_goal": GOAL, "desired_goal": GOAL},
        {"b": 3, "a": 1},
        {"b": {"z": 2, "y": 1}, "a b": 1, "a": {"x": 1}},
    ],
    ids=["goals", "goals in dicts", "dict", "dicts in dicts"],
)
def test_minari_dicts_are_flattened_by_name_or_have_goals(tmp_path, monkeypatch, sizes):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    record_minari(lambda rows: shown(sizes, rows), boxes(sizes))
    data = read("minari:mine/robot-v0")
    assert data.starts.tolist() == [0, 5, 7, 11]
    assert data.notes == ("left out, as they are without a step: episodes 2",)
    assert np.flatnonzero(data.terminations).tolist() == [3, 5, 9]
    assert not data.last_actions
    np.testing.assert_array_equal(data.rewards[:4], numbers(4))
    np.testing.assert_array_equal(data.action_bounds.high, [1, 1])
    if "observation" in sizes:
        np.testing.assert_array_equal(data.observations[:5], numbers(5, 3))
        wanted = numbers(5, 2) if sizes["desired_goal"] == 2 else np.repeat(numbers(5, 1), 2, axis=1)
        np.testing.assert_array_equal(data.goals[:5], wanted)
        np.testing.assert_array_equal(data.achieved_goals[:5], wanted)
    elif "a b" in sizes:
        assert data.observation_names == ("a.x", "a b", "b.y", "b.z.0", "b.z.1")
        np.testing.assert_array_equal(data.observations[:5, 3:], numbers(5, 2))
    else:
        assert data.observation_names == ("a", "b.0", "b.1", "b.2")
        np.testing.assert_array_equal(data.observations[4], [*numbers(5, 1)[-1], *numbers(5, 3)[-1]])


@pytest.mark.parametrize(
    ("action", "observation", "said"),
    [
        (spaces.Discrete(4), spaces.Box(-1, 1, (3,)), r"has actions of Discrete\(4\), and dfplan plans boxes"),
        (spaces.MultiBinary(4), spaces.Box(-1, 1, (3,)), r"has actions of MultiBinary\(4\)"),
        (spaces.Dict(arm=spaces.Box(-1, 1, (2,))), spaces.Box(-1, 1, (3,)), "has actions of Dict"),
        (spaces.Box(-1, 1, (2,)), spaces.Tuple([spaces.Box(-1, 1, (3,))] * 2), "has observations of Tuple"),
        (spaces.Box(-1, 1, (2,)), spaces.Dict(say=spaces.Text(3)), "has observations of Dict.*Text"),
    ],
)
def test_minari_data_that_are_no_numbers_are_refused_by_their_spaces(action, observation, said):
    from dfplan.data.formats.minari import check_spaces

    with pytest.raises(UserError, match=said):
        check_spaces(SimpleNamespace(action_space=action, observation_space=observation), "minari:mine/robot-v0")


def test_observations_alone_are_a_table_with_or_without_names(tmp_path):
    (tmp_path / "a.csv").write_text("episode,x,y\n0,1,2\n0,3,4\n1,5,6\n")
    data = read(tmp_path / "a.csv")
    assert data.starts.tolist() == [0, 2, 3]
    assert data.observation_names == ("x", "y")
    assert data.observations.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert data.actions.shape == (3, 0)
    (tmp_path / "b.csv").write_text("1,2\n3,4\n")
    assert len(read(tmp_path / "b.csv")) == 2
    np.save(tmp_path / "a.npy", numbers(3, 4, 2))
    data = read(tmp_path / "a.npy")
    assert data.starts.tolist() == [0, 4, 8, 12]


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffepisode,x,y\n0,1,2\n0,3,4\n1,5,6\n",
        'Episode;"x";"y"\r\n0;1;"2"\r\n\r\n0;3;4\r\n1;5;6\r\n',
        "episode\tx\ty\n0\t1\t2\n0\t3\t4\n1\t5\t6",
        '"x","y",episode\n1,2,0\n3,4,0\n5,6,1\n',
    ],
    ids=["mark of byte order", "semicolons and quotes", "tabs", "last"],
)
def test_a_table_may_be_written_as_any_program_writes_it(tmp_path, text):
    (tmp_path / "a.csv").write_bytes(text.encode())
    data = read(tmp_path / "a.csv")
    assert (data.observation_names, data.starts.tolist()) == (("x", "y"), [0, 2, 3])
    assert data.observations.tolist() == [[1, 2], [3, 4], [5, 6]]


def test_no_line_of_a_table_is_lost_to_a_mark_of_byte_order(tmp_path):
    (tmp_path / "a.csv").write_text("1,2\n3,4\n", encoding="utf-8-sig")
    (tmp_path / "b.csv").write_text('"width, m",y\n1,2\n3,4\n')
    assert len(read(tmp_path / "a.csv")) == 2
    assert read(tmp_path / "b.csv").observation_names == ("width, m", "y")


def test_dimensions_that_never_vary_are_kept_and_named(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n1,2\n1,4\n")
    data = read(tmp_path / "a.csv")
    assert data.observations.shape == (2, 2)
    assert data.constant_dimensions().tolist() == [True, False]
    assert data.notes == ("1 of 2 observed dimensions never vary: x",)


@pytest.mark.skipif(not PUSHT.is_file(), reason="DFPLAN_PUSHT names no file of PushT's demonstrations")
def test_the_demonstrations_of_pusht_survive_the_way_through_zarr(tmp_path):
    zarr = pytest.importorskip("zarr")
    with np.load(PUSHT, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    root = zarr.open_group(tmp_path / "pusht.zarr", mode="w", zarr_format=2)
    for name, key in (("data/action", "actions"), ("data/state", "states"), ("meta/episode_ends", "episode_ends")):
        root.create_array(name, data=arrays[key])
    data = read(tmp_path / "pusht.zarr")
    assert (len(data), len(data.starts) - 1) == (25_650, 206)
    np.testing.assert_array_equal(data.observations, arrays["states"].astype(np.float32))


def spoiled(array, row=6):
    array = array.copy()
    array[row] = np.nan
    return array


MALFORMED = {
    "nan": (lambda path: save_hdf5(path / "a.hdf5", d4rl(rewards=spoiled(numbers(ROWS)))), "episode 2, row 1: rewards"),
    "infinite": (
        lambda path: save_hdf5(path / "a.hdf5", d4rl(actions=np.full((ROWS, 3), 1e300))),
        "episode 0, row 0: actions",
    ),
    "short": (lambda path: save_hdf5(path / "a.hdf5", d4rl(actions=numbers(5, 3))), "'actions': 5"),
    "no ends": (lambda path: save_hdf5(path / "a.hdf5", d4rl(terminals=None, timeouts=None)), "neither terminals nor"),
    "flag of 2": (
        lambda path: save_hdf5(path / "a.hdf5", d4rl(terminals=np.arange(ROWS))),
        "row 2: terminals must be 0",
    ),
    "no actions": (lambda path: save_hdf5(path / "a.hdf5", d4rl(actions=None)), "no dataset 'actions'"),
    "words": (lambda path: save_hdf5(path / "a.hdf5", d4rl(actions=[b"go"] * ROWS)), "actions must be rows of numbers"),
    "empty": (lambda path: save_hdf5(path / "a.hdf5", {key: each[:0] for key, each in d4rl().items()}), "has no rows"),
    "no hdf5": (lambda path: save_text(path / "a.hdf5"), "not an HDF5 file"),
    "demo unlike": (
        lambda path: save_hdf5(path / "a.hdf5", robomimic(**{"data/demo_1/obs/b_pos": None})),
        "demo_1: has no obs/b_pos",
    ),
    "demo short": (
        lambda path: save_hdf5(path / "a.hdf5", robomimic(**{"data/demo_2/actions": numbers(2, 7)})),
        "demo_2: must have as many observations as actions",
    ),
    "demo nan": (
        lambda path: save_hdf5(path / "a.hdf5", robomimic(**{"data/demo_2/obs/b_pos": spoiled(numbers(3, 3), 2)})),
        "episode 2, row 2: observations",
    ),
    "objects": (
        lambda path: save_npz(path / "a.npz", ogbench(actions=np.array([{}] * ROWS))),
        "no .npz of numbers",
    ),
    "frames": (
        lambda path: save_npz(path / "a.npz", ogbench(observations=np.zeros((ROWS, 4, 4, 3), np.uint8))),
        "choose the data set of states",
    ),
    "no terminals": (lambda path: save_npz(path / "a.npz", ogbench(terminals=None)), "no array 'terminals'"),
    "no zip": (lambda path: save_text(path / "a.npz"), "no .npz of numbers"),
    "ragged": (
        lambda path: save_text(path / "a.csv", "1,2\n3\n"),
        "line 2 (row 1) has 1 numbers, and those",
    ),
    "word in csv": (
        lambda path: save_text(path / "a.csv", "1,2\n3,four\n"),
        "line 2 (row 1) has 'four' where",
    ),
    "gap in csv": (lambda path: save_text(path / "a.csv", "x,y\n1,2\n\n3,\n"), "line 4 (row 1) has '' where"),
    "decimal comma": (
        lambda path: save_text(path / "a.csv", "x;y\n1,5;2\n"),
        "line 2 (row 0) has '1,5' where",
    ),
    "latin": (lambda path: save_text(path / "a.csv", "größe\n1\n", "latin1"), "not written in UTF-8"),
    "episode alone": (lambda path: save_text(path / "a.csv", "episode\n1\n"), "no column but episode"),
    "mixed up": (lambda path: save_text(path / "a.csv", "episode,x\n0,1\n1,2\n0,3\n"), "do not lie together"),
    "zarr rows": (lambda path: save_zarr(path / "a.zarr", action=numbers(5, 2)), "actions has 5 rows"),
    "zarr nan": (
        lambda path: save_zarr(path / "a.zarr", state=spoiled(numbers(ROWS, 5))),
        "episode 2, row 1: observations",
    ),
    "old lerobot": (
        lambda path: save_lerobot(path / "a", info={"codebase_version": "v2.1"}),
        "of version v2.1; convert",
    ),
    "row missing": (
        lambda path: save_lerobot(path / "a", frame_index=np.array([0, 1, 3, 4, 0, 0, 1, 2])),
        "episode 0, row 2: frame_index is 3",
    ),
    "lerobot nan": (lambda path: save_lerobot(path / "a", action=list(spoiled(numbers(ROWS, 2)))), "episode 2, row 1"),
    "file missing": (lambda path: save_lerobot(path / "a", info={"total_frames": 99}), "says 99: files are missing"),
    "rewards of two": (lambda path: save_npz(path / "a.npz", ogbench(rewards=numbers(ROWS, 2))), "one number a row"),
    "demo's rewards of two": (
        lambda path: save_hdf5(path / "a.hdf5", robomimic(**{"data/demo_2/rewards": numbers(3, 2)})),
        "demo_2: rewards must be one number a row; got shape [3, 2]",
    ),
    "done by half": (
        lambda path: save_hdf5(path / "a.hdf5", robomimic(**{"data/demo_2/dones": np.full(3, 0.5)})),
        "demo_2, row 0: dones must be 0 or 1; got 0.5",
    ),
    "demo's next too wide": (
        lambda path: save_hdf5(
            path / "a.hdf5", robomimic(**{f"data/demo_{each}/next_obs/b_pos": numbers(3, 9) for each in range(3)})
        ),
        "next observations must be as many and as long",
    ),
    "half an end": (lambda path: save_zarr(path / "a.zarr", ends=[2.5, ROWS]), "must be whole numbers"),
    "no end": (lambda path: save_zarr(path / "a.zarr", ends=[np.nan, ROWS]), "must be whole numbers"),
    "zarr of one number": (lambda path: save_zarr(path / "a.zarr", mass=np.array(3.0)), "mass must be rows of numbers"),
    "zarr in zarr": (lambda path: save_zarr(path / "a.zarr", **{"arm/q": numbers(ROWS)}), "arm is a group of arrays"),
    "row numbers of pandas": (lambda path: save_text(path / "a.csv", ",x\n0,1\n1,2\n"), "column 1 has no name"),
    "two episodes": (lambda path: save_text(path / "a.csv", "episode,Episode,x\n0,0,1\n"), "2 columns are called"),
    "pipe": (lambda path: save_pipe(path / "a.hdf5"), "is neither a file nor a folder"),
    "folder of anything": (lambda path: path, "holds no data set; accepted are minari:"),
    "Minari without a name": (lambda path: "minari:", "minari: needs the id of a data set behind it"),
    "no path": (lambda path: "", "no data set at no path"),
    "None": (lambda path: None, "a path must be a text"),
    "long": (lambda path: "a" * 5000, "File name too long; give another path"),
    "ending": (lambda path: save_text(path / "a.pkl"), "do not end in '.pkl'"),
    "missing": (lambda path: path / "none.npz", "no data set at"),
}


def save_pipe(path):
    os.mkfifo(path)
    return path


def save_text(path, text="nothing", encoding=None):
    path.write_text(text, encoding)
    return path


def save_npz(path, arrays):
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize(("make", "said"), MALFORMED.values(), ids=MALFORMED.keys())
def test_what_is_malformed_is_refused_in_one_line_that_says_where(tmp_path, make, said):
    with pytest.raises(UserError) as caught:
        read(make(tmp_path))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
