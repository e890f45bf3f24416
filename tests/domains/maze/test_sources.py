"""Every source ends in the same trajectories; what is missing, offline or of another maze says what to do."""

import os
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import h5py
import numpy as np
import pytest

from dfplan.data.d4rl_file import generated_file, hash_file, note_file, write_d4rl
from dfplan.domains.maze.download import download_d4rl, published_name
from dfplan.domains.maze.sources import default_num_steps, generate_file, load_trajectories
from dfplan.errors import UserError

ENV = "maze2d-umaze-v1"


@pytest.fixture
def dataset(tmp_path):
    return generate_file(tmp_path / "made" / "umaze.hdf5", env_id=ENV, num_steps=600, seed=0)


@pytest.fixture
def server(tmp_path, monkeypatch):
    """D4RL's host, as far as a download sees it."""

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1")
    folder = tmp_path / "host"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder))) as host:
        thread = threading.Thread(target=host.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield folder, f"http://127.0.0.1:{host.server_port}/"
        host.shutdown()
        thread.join()


def _load(source, cache_folder, **changes):
    return load_trajectories(str(source), **({"env_id": ENV, "cache_folder": cache_folder} | changes))


def test_generated_data_is_made_once_and_then_read_from_the_cache(tmp_path):
    said, seen = [], []
    first = _load(
        "generated",
        tmp_path,
        num_steps=600,
        say=said.append,
        on_progress=lambda done, total: seen.append((done, total)),
    )
    path = generated_file(tmp_path, env_id=ENV)
    assert seen[-1] == (600, 600)
    assert "generating 600 transitions" in said[0]
    made = path.stat().st_mtime_ns
    again = _load("generated", tmp_path, say=said.append)
    assert path.stat().st_mtime_ns == made
    assert "num_steps 600" in said[1]
    np.testing.assert_array_equal(first.observations, again.observations)
    assert first.checksum == again.checksum == hash_file(path)
    with pytest.raises(UserError, match="has 600 transitions, not 700; move it elsewhere"):
        _load("generated", tmp_path, num_steps=700)


def test_a_path_is_read_as_a_d4rl_file(tmp_path, dataset):
    data = _load(dataset, tmp_path)
    assert (len(data), data.source) == (600, str(dataset))


@pytest.mark.parametrize(
    ("env_id", "name"),
    [
        ("maze2d-large-v1", "maze2d-large-sparse-v1.hdf5"),
        ("maze2d-umaze-dense-v1", "maze2d-umaze-dense-v1.hdf5"),
        ("maze2d-eval-medium-v1", "maze2d-eval-medium-sparse-v1.hdf5"),
        ("maze2d-open-v0", "maze2d-open-sparse.hdf5"),
    ],
)
def test_names_of_the_published_files(env_id, name):
    assert published_name(env_id) == name


def test_a_download_is_complete_noted_and_done_once(tmp_path, dataset, server):
    folder, url = server
    (folder / published_name(ENV)).write_bytes(dataset.read_bytes())
    seen = []
    path = download_d4rl(
        ENV, tmp_path / "cache", base_url=url, on_progress=lambda done, total: seen.append((done, total))
    )
    assert path.read_bytes() == dataset.read_bytes()
    assert seen[-1] == (dataset.stat().st_size, dataset.stat().st_size)
    assert path.with_name(f"{path.name}.sha256").read_text().startswith(hash_file(dataset))
    (folder / published_name(ENV)).unlink()
    assert download_d4rl(ENV, tmp_path / "cache", base_url=url) == path
    assert len(_load("d4rl", tmp_path / "cache")) == 600


def test_a_download_that_breaks_off_leaves_nothing_behind(tmp_path, server, monkeypatch):
    folder, url = server
    (folder / published_name(ENV)).write_bytes(b"x" * 1000)
    monkeypatch.setattr(SimpleHTTPRequestHandler, "copyfile", lambda self, source, target: target.write(b"x" * 700))
    with pytest.raises(UserError, match="after 700 of 1000 bytes; use data=generated"):
        download_d4rl(ENV, tmp_path / "cache", base_url=url)
    assert not list((tmp_path / "cache").iterdir())


def test_without_a_connection_the_error_names_generated_data(tmp_path):
    with pytest.raises(UserError, match="use data=generated") as caught:
        download_d4rl(ENV, tmp_path, base_url="http://127.0.0.1:9/")
    assert "\n" not in str(caught.value)


def test_a_file_that_the_host_does_not_have_is_an_error(tmp_path, server):
    with pytest.raises(UserError, match="404"):
        download_d4rl(ENV, tmp_path / "cache", base_url=server[1])


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("d5rl", "no data set at d5rl; use generated"),
        ("nowhere.hdf5", "no data set at nowhere.hdf5; use generated"),
        ("minari:none-v0", "minari download none-v0"),
    ],
)
def test_an_unknown_or_missing_source_is_named(tmp_path, source, message, monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    with pytest.raises(UserError, match=message):
        _load(source, tmp_path)


def test_an_unknown_environment_is_named(tmp_path):
    with pytest.raises(UserError, match="maze2d-huge-v1"):
        _load("generated", tmp_path, env_id="maze2d-huge-v1")
    assert not list(tmp_path.iterdir())


def test_a_dataset_of_another_maze_is_refused(tmp_path, dataset):
    with pytest.raises(UserError, match="not a dataset of maze large"):
        _load(dataset, tmp_path, env_id="maze2d-large-v1")


def _change(path, **changes):
    """Put other arrays into a copy of a file."""
    with h5py.File(path) as file:
        arrays = {key: file[key][()] for key in ("observations", "actions", "infos/qpos", "infos/qvel", "timeouts")}
    for name, change in changes.items():
        key = name.replace("infos_", "infos/")
        arrays[key] = change(arrays[key])
    return write_d4rl(path.with_name("changed.hdf5"), arrays, metadata={})


def _set(place, value):
    def change(array):
        array[place] = value
        return array

    return change


def _set_off(place, value):
    def change(array):
        array[place] += value
        return array

    return change


def _shuffle(array):
    return np.random.default_rng(0).permutation(array)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"actions": lambda a: 10 * a}, "actions are beyond the 1 that maze2d-umaze-v1 takes, the largest is 10"),
        ({"actions": lambda a: a / 1000}, "no action is above 0.001, where maze2d-umaze-v1 takes up to 1"),
        ({"actions": _set((..., 1), 0.5)}, r"actions never vary in columns \[1\]"),
        ({"infos_qvel": _set((..., 1), 0)}, r"observations never vary in columns \[3\]"),
        (
            {"infos_qvel": lambda v: v[:, ::-1]},
            r"columns \[0, 1\] of the observations do not move by the velocities in",
        ),
        ({"infos_qvel": lambda v: 10 * v}, "column 0 move by 0.001 s of the velocities in column 2, where a step of"),
        ({"infos_qvel": lambda v: v / 1000}, r"column 2, where a step of maze2d-umaze-v1 takes 0.01 s"),
        ({"infos_qvel": _shuffle, "infos_qpos": _shuffle}, "rows in the order of time"),
        ({"infos_qpos": _set_off(slice(100, 110), 100)}, "10 positions lie outside of maze umaze"),
        ({"timeouts": _set(..., True), "infos_qvel": lambda v: v[:, :1]}, "no step in it"),
    ],
)
def test_data_that_would_be_learned_wrong_are_refused(tmp_path, dataset, changes, message):
    with pytest.raises(UserError, match=message) as caught:
        _load(_change(dataset, **changes), tmp_path)
    assert "\n" not in str(caught.value)


def test_actions_of_half_precision_and_rewards_of_another_goal_are_accepted(tmp_path, dataset):
    half = _change(dataset, actions=lambda a: (a / np.abs(a).max()).astype(np.float16))
    with h5py.File(half, "a") as file:
        file["rewards"] = np.full(600, 7.0)
        file["infos/goal"] = np.full((600, 2), 99.0)
    half.with_name("changed.hdf5.sha256").unlink()
    assert len(_load(half, tmp_path)) == 600


def test_impossible_steps_are_spoken_of(tmp_path, dataset):
    def without(array):
        return np.delete(array, np.arange(300, 400), axis=0)

    said = []
    keys = ("observations", "actions", "infos_qpos", "infos_qvel", "timeouts")
    changed = _change(dataset, **dict.fromkeys(keys, without))
    data = _load(changed, tmp_path, say=said.append)
    assert data.starts.tolist() == [0, 300, 500]
    assert said == [f"{changed}: {data.notes[0]}"]
    assert said[0].startswith(f"{changed}: cut at 1 impossible step, the first from row 299 to row 300")


@pytest.mark.parametrize("name", [b"data", b"data.HDF5", b"-not UTF-8 \xff.hdf5", b"two\nlines.h5"])
def test_a_file_may_have_any_name(tmp_path, dataset, name):
    path = dataset.with_name(os.fsdecode(name))
    with h5py.File(dataset) as file:
        write_d4rl(path, {key: file[key][()] for key in ("observations", "actions", "timeouts")}, metadata={})
    assert note_file(path).read_bytes() == hash_file(path).encode() + b"  " + name + b"\n"
    assert len(_load(path, tmp_path))


def test_default_sizes_are_those_of_d4rl():
    ids = ("maze2d-open-v0", "maze2d-umaze-dense-v1", "maze2d-medium-v1", "maze2d-eval-large-v1")
    assert [default_num_steps(env_id) for env_id in ids] == [1_000_000, 1_000_000, 2_000_000, 4_000_000]


ACTIONS = {
    "negated": (lambda actions, _: -actions, "actions have the wrong sign"),
    "negated along x": (lambda actions, _: actions * [-1, 1], "actions have the wrong sign"),
    "swapped": (lambda actions, _: actions[:, ::-1], "the columns of the actions are swapped"),
    "noise": (lambda actions, draw: draw.uniform(-1, 1, actions.shape), "are not those that pushed the ball"),
    "noise along y": (lambda actions, draw: np.c_[actions[:, 0], draw.uniform(-1, 1, len(actions))], "are not those"),
    "of other rows": (lambda actions, draw: actions[draw.permutation(len(actions))], "are not those that pushed"),
}


def _with_actions(dataset, change):
    with h5py.File(dataset, "r+") as file:
        actions = np.asarray(file["actions"])
        file["actions"][:] = change(actions, np.random.default_rng(0)).astype(actions.dtype)
    note_file(dataset).unlink()
    return dataset


@pytest.mark.parametrize("name", ACTIONS)
def test_actions_that_did_not_push_the_ball_are_refused(tmp_path, dataset, name):
    change, said = ACTIONS[name]
    with pytest.raises(UserError, match=said):
        _load(_with_actions(dataset, change), tmp_path)


def test_actions_that_belong_to_other_rows_in_part_are_said(tmp_path, dataset):
    said = []
    _load(dataset, tmp_path, say=said.append)
    assert said == []
    _load(_with_actions(dataset, lambda actions, _: np.roll(actions, 1, axis=0)), tmp_path, say=said.append)
    assert len(said) == 1
    assert "some actions are not those that pushed the ball, or they belong to the rows before or after" in said[0]
