"""Motion of a small robot, and the ways to write it in real formats, for tests of what reads and inspects them."""

import itertools
import json

import h5py
import numpy as np

from dfplan.types import Trajectories

STEP = 0.05  # seconds


def robot(*, episodes=6, steps=80, seed=0):
    """A point on a plane that actions push, damped: positions, velocities, actions; nothing about it is wrong."""
    generator = np.random.default_rng(seed)
    parts = {"observations": [], "actions": []}
    for _ in range(episodes):
        position, velocity, wanted = generator.uniform(-2, 2, 2), generator.normal(size=2) / 2, np.zeros(2)
        observed, acted = [], []
        for _ in range(steps):
            wanted = 0.9 * wanted + 0.3 * generator.normal(size=2)
            action = np.clip(wanted + 0.2 * generator.normal(size=2), -1, 1)
            observed.append([*position, *velocity])
            acted.append(action)
            velocity = velocity + STEP * (4 * action - velocity)
            position = position + STEP * velocity
        parts["observations"].append(observed)
        parts["actions"].append(acted)
    observations, actions = (np.concatenate(each).astype(np.float32) for each in parts.values())
    ends = np.arange(len(observations)) % steps == steps - 1
    return {
        "observations": observations,
        "actions": actions,
        "rewards": -np.linalg.norm(observations[:, :2], axis=1).astype(np.float32),
        "terminals": np.zeros(len(observations), bool),
        "timeouts": ends,
    }


def trajectories(arrays, **facts):
    """The arrays as they are read, without a file."""
    ends = np.flatnonzero(arrays["terminals"] | arrays["timeouts"]) + 1
    return Trajectories(
        observations=arrays["observations"],
        actions=arrays["actions"],
        starts=np.append(0, ends),
        segment_ends=np.zeros(len(arrays["observations"]), bool),
        source="a robot",
        rewards=arrays["rewards"],
        terminations=arrays["terminals"],
        truncations=arrays["timeouts"],
        last_actions=True,
        **facts,
    )


def write_d4rl(folder, arrays):
    path = folder / "robot.hdf5"
    with h5py.File(path, "w") as file:
        for key, value in arrays.items():
            file[key] = value
    return path


def write_ogbench(folder, arrays):
    path = folder / "robot.npz"
    ends = arrays["terminals"] | arrays["timeouts"]
    np.savez(path, **{**{key: arrays[key] for key in ("observations", "actions", "rewards")}, "terminals": ends})
    return path


def write_robomimic(folder, arrays):
    path = folder / "robot.hdf5"
    ends = np.append(0, np.flatnonzero(arrays["terminals"] | arrays["timeouts"]) + 1)
    with h5py.File(path, "w") as file:
        for number, (begin, end) in enumerate(itertools.pairwise(ends)):
            file[f"data/demo_{number}/actions"] = arrays["actions"][begin:end]
            file[f"data/demo_{number}/obs/place"] = arrays["observations"][begin:end]
            file[f"data/demo_{number}/rewards"] = arrays["rewards"][begin:end]
            file[f"data/demo_{number}/dones"] = np.arange(begin, end) == end - 1
    return path


def write_zarr(folder, arrays):
    import zarr

    path = folder / "robot.zarr"
    root = zarr.open_group(path, mode="w", zarr_format=2)
    root.create_array("data/state", data=arrays["observations"])
    root.create_array("data/action", data=arrays["actions"])
    root.create_array("meta/episode_ends", data=np.flatnonzero(arrays["terminals"] | arrays["timeouts"]) + 1)
    return path


def write_lerobot(folder, arrays, **columns):
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    path = folder / "robot"
    ends = arrays["terminals"] | arrays["timeouts"]
    episodes = np.cumsum(np.append(0, ends[:-1]))
    frames = np.arange(len(ends)) - np.append(0, np.flatnonzero(ends) + 1)[episodes]
    columns = {
        "observation.state": list(arrays["observations"]),
        "action": list(arrays["actions"]),
        "next.reward": arrays["rewards"],
        "episode_index": episodes,
        "frame_index": frames,
        "timestamp": (frames * STEP).astype(np.float32),
    } | columns
    features = {name: {"dtype": "float32", "shape": [1], "names": None} for name in columns}
    (path / "meta").mkdir(parents=True)
    (path / "meta" / "info.json").write_text(
        json.dumps({"codebase_version": "v3.0", "fps": 1 / STEP, "features": features})
    )
    (path / "data" / "chunk-000").mkdir(parents=True)
    table = arrow.table({name: arrow.array(each) for name, each in columns.items()})
    parquet.write_table(table, path / "data" / "chunk-000" / "file-000.parquet")
    return path


def write_csv(folder, arrays):
    path = folder / "robot.csv"
    ends = arrays["terminals"] | arrays["timeouts"]
    episodes = np.cumsum(np.append(0, ends[:-1]))
    frames = np.arange(len(ends)) - np.append(0, np.flatnonzero(ends) + 1)[episodes]
    table = np.column_stack([episodes, arrays.get("time", frames * STEP), arrays["observations"]])
    np.savetxt(path, table, delimiter=",", header="episode,time,x,y,vx,vy", comments="", fmt="%.7g")
    return path


def write_minari(folder, arrays, **spaces):
    import minari
    from gymnasium import spaces as gymnasium_spaces
    from minari.data_collector import EpisodeBuffer

    ends = np.append(0, np.flatnonzero(arrays["terminals"] | arrays["timeouts"]) + 1)
    episodes = [
        EpisodeBuffer(
            id=number,
            observations=arrays["observations"][begin:end],
            actions=arrays["actions"][begin : end - 1],
            rewards=list(arrays["rewards"][begin : end - 1]),
            terminations=list(arrays["terminals"][begin : end - 1]),
            truncations=[*[False] * (end - begin - 2), True],
        )
        for number, (begin, end) in enumerate(itertools.pairwise(ends))
    ]
    minari.create_dataset_from_buffers(
        "mine/robot-v0",
        buffer=episodes,
        observation_space=gymnasium_spaces.Box(-np.inf, np.inf, (arrays["observations"].shape[1],), np.float32),
        action_space=spaces.get("action_space", gymnasium_spaces.Box(-1, 1, (2,), np.float32)),
        data_format="hdf5",
    )
    return "minari:mine/robot-v0"
