"""What whoever follows the documents is given: data of a maze, in D4RL's layout and as Minari's, and of a pendulum."""

import warnings
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec
from pendulum import write_pendulum

from dfplan.cli.main import main
from dfplan.domains.maze.download import published_name
from dfplan.domains.maze.recorded import read_recorded
from dfplan.types import Trajectories
from dfplan_envs import build_maze


def lay_out(store: Path) -> None:
    """Fill a folder with what docs/reference/pages.md says is given, and ``cache`` with data generated before."""
    write_pendulum(store / "pendulum.hdf5", num_episodes=6)
    for name in ("maze2d-umaze", "maze2d-large"):  # or who trains would wait for a million steps
        generated = store / "cache" / "datasets" / f"{name}-v1.hdf5"
        assert main(["generate", f"env={name}", "num_steps=20000", f"output={generated}"]) == 0
    for path in (generated.with_name(published_name("maze2d-large-v1")), store / "path" / "to" / "maze2d-large.hdf5"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(generated.read_bytes())
    record_minari(read_recorded(generated), "D4RL/pointmaze/large-v2", store / "minari")


def record_minari(data: Trajectories, dataset_id: str, store: Path) -> None:
    """Write a trajectory as a local Minari dataset in PointMaze's coordinates: an episode for each goal driven to."""
    minari = pytest.importorskip("minari")
    from minari.data_collector import EpisodeBuffer

    rows, columns = build_maze("large").walls.shape
    x, y, vx, vy = data.observations.T.astype(np.float64)
    turned = np.stack([y + 0.7 - columns / 2, rows / 2 - 0.7 - x, vy, -vx], axis=1)
    pushed = np.stack([data.actions[:, 1], -data.actions[:, 0]], axis=1)
    ends = np.flatnonzero(data.segment_ends)
    episodes = [
        EpisodeBuffer(
            id=number,
            observations={
                name: turned[first : last + 1, :size]
                for name, size in (("observation", 4), ("achieved_goal", 2), ("desired_goal", 2))
            },
            actions=pushed[first:last],
            rewards=[0.0] * (last - first),
            terminations=[False] * (last - first),
            truncations=[False] * (last - first - 1) + [True],
        )
        for number, (first, last) in enumerate(pairwise(ends))
    ]
    sizes = {"observation": 4, "achieved_goal": 2, "desired_goal": 2}
    boxes = {name: spaces.Box(-np.inf, np.inf, (size,), np.float64) for name, size in sizes.items()}
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.setenv("MINARI_DATASETS_PATH", str(store))
        warnings.simplefilter("ignore")  # of an author who is not named
        minari.create_dataset_from_buffers(
            dataset_id,
            buffer=episodes,
            env=EnvSpec(
                "PointMaze_Large-v3", entry_point="dfplan_envs.maze_env:MazeEnv", kwargs={"maze_name": "large"}
            ),
            action_space=spaces.Box(-1, 1, (2,), np.float32),
            observation_space=spaces.Dict(boxes),
            data_format="hdf5",
        )
