"""How long a million transitions take to be read, beside what the owners of each format read them with."""

import argparse
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import h5py
import minari
import numpy as np
import pyarrow
import pyarrow.parquet as parquet

from dfplan.data.formats import read, write
from dfplan.types import Bounds, Trajectories

sys.path.insert(0, str(Path(__file__).parents[1]))
from frame import Benchmark, Named

HERE = Path(__file__).parent
NUM_STEPS, EPISODE = 1_000_000, 1000
SIZES = (11, 3)  # of an observation and an action: D4RL's Hopper
MINARI_ID = "reading/hopper-v0"
LEROBOT_COLUMNS = (
    "observation.state", "action", "episode_index", "frame_index", "timestamp", "next.reward", "next.terminated",
    "next.truncated", "segment_end",
)  # fmt: skip


def options(parser: argparse.ArgumentParser) -> None:
    """What is to be measured."""
    parser.add_argument("--runs", type=int, default=11, help="times that each is read, after one that is not counted")
    parser.add_argument("--steps", type=int, default=NUM_STEPS)


def results(arguments: argparse.Namespace) -> Named:
    """Write the files, and read each in turns with its rival."""
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(Path(folder), num_steps=arguments.steps, runs=arguments.runs)
    for name, row in rows.items():
        print(line_of(name, row))
    yield (
        "",
        {
            "question": "time to read a million transitions, beside the reader of each format's owner",
            "transitions": arguments.steps,
            "runs": arguments.runs,
            "formats": rows,
            "packages": {name: version(name) for name in ("h5py", "minari", "pyarrow", "numpy")},
        },
    )


def measure(folder: Path, *, num_steps: int, runs: int) -> dict[str, Any]:
    """Seconds by format, of dfplan's reader and of its rival's."""
    os.environ["MINARI_DATASETS_PATH"] = str(folder / "minari")
    data = make_data(num_steps)
    file, parquet_folder = folder / "hopper.hdf5", folder / "lerobot"
    write_as_d4rl(file, data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        write(data, f"minari:{MINARI_ID}")
    write(data, parquet_folder)
    del data
    pairs: dict[str, tuple[str, Callable[[], Any], Callable[[], Any], int]] = {
        "D4RL HDF5": ("h5py", lambda: read(file), lambda: read_by_h5py(file), file.stat().st_size),
        "Minari": ("minari", lambda: read(f"minari:{MINARI_ID}"), read_by_minari, size_of(folder / "minari")),
        "LeRobot v3.0": (
            "pyarrow",
            lambda: read(parquet_folder),
            lambda: read_by_pyarrow(parquet_folder),
            size_of(parquet_folder),
        ),
    }
    return {
        name: {"rival": rival, "bytes": size, **timed(ours, theirs, runs=runs)}
        for name, (rival, ours, theirs, size) in pairs.items()
    }


def timed(ours: Callable[[], Any], theirs: Callable[[], Any], *, runs: int) -> dict[str, Any]:
    """Seconds of both, in turns: by the wall, and of this process, which other programs disturb less."""
    seconds: dict[str, dict[str, list[float]]] = {name: {"wall": [], "cpu": []} for name in ("dfplan", "rival_s")}
    for turn in range(runs + 1):
        for name, call in (("dfplan", ours), ("rival_s", theirs)):
            wall, cpu = time.perf_counter(), time.process_time()
            call()
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            if turn:
                seconds[name]["wall"].append(wall)
                seconds[name]["cpu"].append(cpu)
    medians = {
        name: {kind: statistics.median(values) for kind, values in found.items()} for name, found in seconds.items()
    }
    ratios = {kind: medians["dfplan"][kind] / medians["rival_s"][kind] for kind in ("wall", "cpu")}
    return {"seconds": seconds, "medians": medians, "ratio": ratios}


def make_data(num_steps: int) -> Trajectories:
    """Smooth random motion in episodes of 1,000 steps, as large as D4RL's Hopper."""
    generator = np.random.default_rng(0)
    count = num_steps // EPISODE
    observed = np.cumsum(generator.normal(size=(count, EPISODE + 1, SIZES[0])) / 30, axis=1)
    acted = np.tanh(generator.normal(size=(count, EPISODE + 1, SIZES[1])))
    rewards = generator.normal(size=(count, EPISODE + 1))
    acted[:, -1] = rewards[:, -1] = 0
    last = np.zeros((count, EPISODE + 1), bool)
    last[:, -2] = True
    nothing = np.zeros(last.size, bool)
    ones = np.ones(SIZES[1], np.float32)
    return Trajectories(
        observations=observed.reshape(-1, SIZES[0]).astype(np.float32),
        actions=acted.reshape(-1, SIZES[1]).astype(np.float32),
        starts=np.arange(count + 1) * (EPISODE + 1),
        segment_ends=nothing,
        source="made by benchmarks/reading",
        rewards=rewards.reshape(-1).astype(np.float32),
        terminations=nothing,
        truncations=last.reshape(-1),
        action_bounds=Bounds(-ones, ones),
        step_seconds=0.008,
    )


def write_as_d4rl(file: Path, data: Trajectories) -> None:
    """Pack a file as D4RL's own are: every key by gzip, with h5py's choice of chunks."""
    is_step = np.ones(len(data), bool)
    is_step[data.starts[1:] - 1] = False
    steps = np.flatnonzero(is_step)
    arrays = {
        "observations": data.observations[steps],
        "next_observations": data.observations[steps + 1],
        "actions": data.actions[steps],
        "rewards": data.per_row()["rewards"][steps],
        "terminals": data.per_row()["terminations"][steps],
        "timeouts": data.per_row()["truncations"][steps],
    }
    with h5py.File(file, "w") as opened:
        for name, values in arrays.items():
            opened.create_dataset(name, data=values, compression="gzip")


def read_by_h5py(file: Path) -> Any:
    """All keys as arrays, as D4RL's own reader takes them."""
    with h5py.File(file) as opened:
        return {name: opened[name][()] for name in opened}


def read_by_minari() -> Any:
    """All episodes, as Minari gives them."""
    return list(minari.load_dataset(MINARI_ID).iterate_episodes())


def read_by_pyarrow(folder: Path) -> Any:
    """The same columns, each as one array."""
    files = sorted(folder.glob("data/chunk-*/file-*.parquet"))
    table = pyarrow.concat_tables([parquet.read_table(file, columns=list(LEROBOT_COLUMNS)) for file in files])
    arrays = {}
    for name in LEROBOT_COLUMNS:
        column = table.column(name).combine_chunks()
        flat = column.flatten() if pyarrow.types.is_fixed_size_list(column.type) else column
        arrays[name] = flat.to_numpy(zero_copy_only=False).reshape(len(column), -1)
    return arrays


def size_of(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def line_of(name: str, row: dict[str, Any]) -> str:
    """One format as a line of a table."""
    ours, theirs, ratio = row["medians"]["dfplan"], row["medians"]["rival_s"], row["ratio"]
    return (
        f"| {name} | {ours['wall']:.2f} s ({ours['cpu']:.2f} s) | {row['rival']} {theirs['wall']:.2f} s "
        f"({theirs['cpu']:.2f} s) | {ratio['wall']:.2f} ({ratio['cpu']:.2f}) |"
    )


BENCHMARK = Benchmark(says=__doc__, folder=HERE, measure=results, options=options, on_request=True)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
