"""Data larger than memory: what is read block by block and mapped is, to the last bit, what is read whole."""

import json
import subprocess
import sys

import h5py
import numpy as np
import pytest
import robot_data

from dfplan import blocks
from dfplan.blocks import Column, deviation, is_mapped, memory_left, stacked
from dfplan.data.formats import read
from dfplan.data.split import hold_out
from dfplan.data.windows import WindowDataset
from dfplan.domains.gymnasium import GymnasiumDomain
from dfplan.errors import UserError
from dfplan.scorers import fit_value
from dfplan.settings.windows import WindowSettings
from dfplan.tokens import Normalizer
from dfplan.types import Trajectories

EPISODE, MANY = 200, 40_000


def windows_of(steps):
    return WindowSettings(steps_per_token=steps, points_per_token=steps, held_steps=0)


@pytest.fixture
def scarce(tmp_path, monkeypatch):
    """A function after which no memory is left, so that everything is mapped and comes in blocks of a few rows."""
    monkeypatch.setenv("DFPLAN_CACHE", str(tmp_path / "cache"))

    def begin():
        monkeypatch.setattr(blocks, "memory_left", lambda: 0)
        monkeypatch.setattr(blocks, "BLOCK_BYTES", 300)

    return begin


def write_d4rl(folder, arrays):
    """In double precision, packed in chunks, with the final observations that an episode ended in."""
    ends = arrays["timeouts"]
    follows = np.where(ends[:, None], arrays["observations"] + 1, np.roll(arrays["observations"], -1, axis=0))
    with h5py.File(folder / "robot.hdf5", "w") as file:
        for key, value in {**arrays, "next_observations": follows}.items():
            value = value.astype(np.float64) if value.dtype.kind == "f" else value
            file.create_dataset(key, data=value, compression="gzip", chunks=(7, *value.shape[1:]))
    return folder / "robot.hdf5"


def write_packed(folder, arrays):
    path = robot_data.write_ogbench(folder, arrays)
    with np.load(path) as file:
        np.savez_compressed(folder / "packed.npz", **file)
    return folder / "packed.npz"


def write_minari(folder, arrays):
    pytest.importorskip("minari")
    return robot_data.write_minari(folder, arrays)


def write_robomimic(folder, arrays):
    """With two things that are seen, and what is seen behind each last step."""
    path = robot_data.write_robomimic(folder, arrays)
    with h5py.File(path, "r+") as file:
        for demo in file["data"].values():
            demo["obs/more"] = 2 * demo["obs/place"][:, :2]
            for name in ("place", "more"):
                demo[f"next_obs/{name}"] = demo[f"obs/{name}"][:] + 1
    return path


def write_zarr(folder, arrays):
    zarr = pytest.importorskip("zarr")
    path = robot_data.write_zarr(folder, arrays)
    zarr.open_group(path, mode="a").create_array("data/keypoint", data=np.ones((480, 3, 2)), chunks=(7, 3, 2))
    return path


def write_lerobot(folder, arrays, rows_of_a_group=50):
    """In two files of some groups of rows each."""
    pytest.importorskip("pyarrow")
    import pyarrow.parquet as parquet

    path = robot_data.write_lerobot(folder, arrays)
    file = path / "data" / "chunk-000" / "file-000.parquet"
    table = parquet.read_table(file, partitioning=None)
    parquet.write_table(table.slice(0, 130), file, row_group_size=rows_of_a_group)
    parquet.write_table(table.slice(130), file.with_name("file-001.parquet"), row_group_size=rows_of_a_group)
    return path


def write_npy(folder, arrays):
    np.save(folder / "robot.npy", arrays["observations"].astype(np.float64))
    return folder / "robot.npy"


FORMATS = {
    "d4rl": write_d4rl,
    "ogbench": robot_data.write_ogbench,
    "packed": write_packed,
    "minari": write_minari,
    "robomimic": write_robomimic,
    "zarr": write_zarr,
    "lerobot": write_lerobot,
    "csv": robot_data.write_csv,
    "npy": write_npy,
}


@pytest.mark.parametrize("write", FORMATS.values(), ids=FORMATS)
def test_mapped_trajectories_are_those_in_memory(tmp_path, monkeypatch, scarce, write):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    source = write(tmp_path, robot_data.robot())
    held = read(source)
    looked_at = _looked_at(held)
    scarce()
    mapped = read(source)
    for name, array in mapped.per_row().items():
        assert is_mapped(array) or array.dtype == bool or not array.size  # flags are of a byte a row
        assert not is_mapped(getattr(held, name))
        assert array.dtype == getattr(held, name).dtype
        np.testing.assert_array_equal(array, getattr(held, name))
    np.testing.assert_array_equal(mapped.starts, held.starts)
    assert (mapped.notes, mapped.checksum, mapped.last_actions) == (held.notes, held.checksum, held.last_actions)
    for name, value in _looked_at(mapped).items():
        np.testing.assert_array_equal(value, looked_at[name])
    assert not list((tmp_path / "cache").iterdir())  # the files have no names


def _looked_at(data):
    """Windows, statistics and what else training makes of data."""
    part, _ = hold_out(data, share=0.1)
    windows = WindowDataset(part, windows_of(4), num_tokens=3, goal_dim=0)
    earns = data.rewards is not None
    normalizer = Normalizer.fit(data, rewards_recorded=earns)
    return {
        **vars(windows.sample(64, np.random.default_rng(3))),
        **{name: value.numpy() for name, value in normalizer.state_dict().items()},
        "reward": [normalizer.reward_mean, normalizer.reward_std],
        "constant": data.constant_dimensions(),
        **(fit_value(data, discount=0.9).arrays() if earns else {}),
    }


def test_what_is_wrong_is_found_in_any_block(tmp_path, scarce):
    arrays = robot_data.robot()
    wrong = {"observations": np.nan, "actions": np.inf, "terminals": 3, "next_observations": 9.0}
    paths = []
    for key, value in wrong.items():
        (folder := tmp_path / key).mkdir()
        paths.append(write_d4rl(folder, arrays | ({"terminals": np.zeros(480, int)} if key == "terminals" else {})))
        with h5py.File(paths[-1], "r+") as file:
            file[key][333] = value

    def told(path):
        try:
            return read(path).notes
        except UserError as error:
            return str(error)

    in_memory = [told(path) for path in paths]
    scarce()
    assert [told(path) for path in paths] == in_memory
    assert "episode 5, row 0: observations has NaN" in in_memory[0]
    assert "1 episodes end without a flag, the first at row 333" in in_memory[3][0]


def test_a_domain_says_what_stays_on_disk_and_refuses_actions_all_the_same(tmp_path, scarce):
    arrays = robot_data.robot()
    arrays |= {"observations": arrays["observations"][:, :3], "actions": arrays["actions"][:, :1]}
    path = write_d4rl(tmp_path, arrays)
    domain, said = GymnasiumDomain("Pendulum-v1"), []
    domain.take(read(path), say=said.append)
    assert not said
    scarce()
    data = domain.take(read(path), say=said.append)
    assert said == [f"{path}: 11,178 bytes of it stay on disk, as they are large for the memory that is left"]
    assert sum(each.nbytes for each in data.per_row().values()) == 11_178  # 486 rows of 23 bytes
    with h5py.File(path, "r+") as file:
        file["actions"][100] = 7.0
    assert is_mapped(data.observations)
    with pytest.raises(UserError, match="1 actions lie outside of what Pendulum-v1 takes, the first in row 101"):
        domain.take(read(path), say=said.append)


def test_a_full_disk_is_one_line(tmp_path, monkeypatch, scarce):
    path = write_d4rl(tmp_path, robot_data.robot())
    scarce()
    (tmp_path / "taken").touch()
    monkeypatch.setenv("DFPLAN_CACHE", str(tmp_path / "taken"))
    with pytest.raises(UserError, match="taken: cannot be written"):
        read(path)


@pytest.mark.parametrize("shape", [(3001, 17), (3001, 2), (3001, 1), (3001,), (40_001,), (5, 3), (7, 0)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_deviation_is_that_of_numpy_to_the_last_bit(scarce, shape, dtype):
    values = (3 * np.random.default_rng(0).normal(size=(*shape, 2)) + 1).astype(np.float32)[..., 0]
    scarce()
    np.testing.assert_array_equal(deviation(values, dtype), values.std(axis=0, dtype=dtype))
    np.testing.assert_array_equal(deviation(values.copy(), dtype), values.copy().std(axis=0, dtype=dtype))


def test_a_column_stays_in_memory_until_it_is_large(tmp_path, monkeypatch):
    monkeypatch.setenv("DFPLAN_CACHE", str(tmp_path))
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 800)
    monkeypatch.setattr(blocks, "memory_left", lambda: 8000 / blocks.LARGE)
    numbers = np.random.default_rng(0).normal(size=(100, 20))
    assert not is_mapped(stacked(numbers[index : index + 3] for index in range(0, 48, 3)))
    large = stacked(numbers[index : index + 3] for index in range(0, 100, 3))
    assert is_mapped(large)
    assert is_mapped(large[3:, :2])
    assert not is_mapped(large[[1, 2]])
    np.testing.assert_array_equal(large, numbers)
    with pytest.raises(ValueError, match="read-only"):
        large[0] = 1
    column = Column()
    column.append(few := numbers[:40])
    assert column.array() is few  # nothing is copied


def test_windows_begin_and_segments_end_where_rows_say(scarce):
    generator = np.random.default_rng(0)
    for _ in range(20):
        lengths = generator.integers(1, 12, size=9)
        rows, starts = int(lengths.sum()), np.append(0, np.cumsum(lengths))
        ends = generator.random(rows) < 0.15
        data = Trajectories(np.zeros((rows, 2)), np.zeros((rows, 1)), starts, ends, source="random", last_actions=True)
        steps = 1 + int(generator.integers(3))
        if lengths.max() <= steps:
            continue
        windows = WindowDataset(data, windows_of(steps), num_tokens=2, goal_dim=2)
        last = np.repeat(starts[1:] - 1, lengths)
        segment_end = [min([*np.flatnonzero(ends[row:]) + row, last[row]]) for row in range(rows)]
        possible = np.flatnonzero(np.arange(rows) + steps <= last)
        np.testing.assert_array_equal(windows._segment_end(np.arange(rows)), segment_end)
        np.testing.assert_array_equal(windows._last_row(np.arange(rows)), last)
        assert windows._num_before[-1] == len(possible)
        np.testing.assert_array_equal(windows._start(np.arange(len(possible))), possible)


resource = pytest.importorskip("resource")
TRAIN = ("train", "env=Pendulum-v1", "device=cpu", "threads=1", "training.num_steps=20", "training.log_every=1")
# What the process needed is told as what it was seen to have at most, which is rather less than it had.
RUN = """
import sys, threading, time
from dfplan import blocks
from dfplan.cli.main import main

most = 0
def watch():
    global most
    while True:
        found = {name: int(value.split()[0]) * 1024 for name, _, value in
                 (line.partition(":") for line in open("/proc/self/status")) if name.startswith("Vm")}
        most = max(most, found["VmData"], found["VmPeak"] - found["VmSize"] + found["VmData"])
        time.sleep(0.005)

if sys.argv[1] == "watched":
    threading.Thread(target=watch, daemon=True).start()
if sys.argv[1] == "whole":
    blocks.memory_left = lambda: 2**60
status = main(sys.argv[2:])
print("needed", most)
sys.exit(status)
"""


def write_pendulum(path, *, num_episodes):
    """Noise, written so that it is never in memory as a whole."""
    generator, rows = np.random.default_rng(0), num_episodes * EPISODE
    shapes = {"observations": (3,), "next_observations": (3,), "actions": (1,), "rewards": ()}
    with h5py.File(path, "w") as file:
        kept = {name: file.create_dataset(name, (rows, *shape), "f4") for name, shape in shapes.items()}
        kept["timeouts"] = file.create_dataset("timeouts", (rows,), "?")
        at_once = 500 * EPISODE
        for begin in range(0, rows, at_once):
            end = min(rows, begin + at_once)
            observed = generator.normal(size=(end - begin + 1, 3))
            kept["observations"][begin:end], kept["next_observations"][begin:end] = observed[:-1], observed[1:]
            kept["actions"][begin:end] = generator.uniform(-2, 2, size=(end - begin, 1))
            kept["rewards"][begin:end] = -(observed[:-1, 0] ** 2)
            kept["timeouts"][begin:end] = np.arange(begin, end) % EPISODE == EPISODE - 1
    return path


def train(data, folder, *, limit=None, how=""):
    """Train in a process of its own; how it ended, and what it said.

    The limit is of RLIMIT_DATA, what a process may write to: memory that is taken. RLIMIT_AS counts addresses, those of
    files that are mapped as well, of which a process may have any number without having any memory.
    """
    return subprocess.run(
        [sys.executable, "-c", RUN, how, *TRAIN, f"data={data}", f"output={folder}"],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=None if limit is None else lambda: resource.setrlimit(resource.RLIMIT_DATA, (limit, limit)),
    )


def losses(folder):
    lines = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [{name: value for name, value in line.items() if name != "steps_per_second"} for line in lines]


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the limit and /proc are Linux's")
def test_data_four_times_the_memory_left_train_with_the_same_losses(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("DFPLAN_CACHE", str(tmp_path / "cache"))
    few = write_pendulum(tmp_path / "few.hdf5", num_episodes=248)  # as many rows as a value is fitted to at most
    many = write_pendulum(tmp_path / "many.hdf5", num_episodes=MANY)
    least = train(few, tmp_path / "few", how="watched")
    assert least.returncode == 0, least.stderr
    needed = int(least.stdout.split("needed")[1])
    size = MANY * (EPISODE + 1) * (3 + 1 + 1) * np.dtype(np.float32).itemsize  # flags left aside
    limit = needed + size // 4
    assert train(many, tmp_path / "free").returncode == 0
    limited = train(many, tmp_path / "limited", limit=limit)
    assert limited.returncode == 0, limited.stderr
    assert "bytes of it stay on disk" in limited.stderr
    assert len(losses(tmp_path / "free")) > 20
    assert losses(tmp_path / "limited") == losses(tmp_path / "free")
    too_much = train(many, tmp_path / "too_much", limit=limit, how="whole")
    assert too_much.returncode == 2
    assert "memory" in too_much.stderr


def test_a_limit_of_the_process_counts():
    code = "import resource; from dfplan.blocks import memory_left; print(memory_left())"
    limit = 2**29
    left = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (limit, limit)),
    )
    assert 0 < int(left.stdout) < min(limit, memory_left())
