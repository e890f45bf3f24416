"""A Minari data set of PointMaze v3, made as the published ones were: from goal to goal, by way-points, with noise.

The recipe of Minari's ``create_pointmaze_dataset.py``: the target moves on when it is reached, which also ends the
episode in the data (its successor begins where it ended); PD control towards jittered way-points on the shortest way,
normal noise of 0.5 on the actions, which are then clipped.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import gymnasium
import minari
import numpy as np
from minari.data_collector import EpisodeBuffer
from pointmaze import SIZES, AsMaze2D
from rich.progress import track

from dfplan.domains.gymnasium import register_known
from dfplan.domains.maze.waypoint_controller import WaypointController

NOISE = 0.5
NEVER = 10**9
# From maze2d's coordinates, where cells are centred 0.2 before whole numbers, to ones where these are the centres: the
# ball of PointMaze gets 0.4 away from them, and the driver rounds a place to know its cell.
TO_CENTRES = np.array([0.2, 0.2, 0, 0])
LAST_LEG = 0.7  # no wall is between what is nearer than that


def main() -> int:
    """Make a data set in the local store."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("size", choices=list(SIZES))
    parser.add_argument("--steps", type=int, default=1_000_000, help="as the published data sets have (default 1M)")
    parser.add_argument("--seed", type=int, default=123, help="as the published data sets have (default 123)")
    parser.add_argument("--store", type=Path, default=Path("runs/any_robot/minari"), help="folder of the Minari store")
    arguments = parser.parse_args()
    os.environ["MINARI_DATASETS_PATH"] = str(arguments.store.absolute())
    print(collect(arguments.size, num_steps=arguments.steps, seed=arguments.seed))
    return 0


def collect(size: str, *, num_steps: int, seed: int) -> str:
    """Drive from target to target and write the data set; returns its name."""
    env_id = f"PointMaze_{SIZES[size]}-v3"
    register_known(env_id)
    env = gymnasium.make(env_id, continuing_task=True, reset_target=True, max_episode_steps=NEVER)
    dataset_id = f"any-robot/pointmaze-{size}-v0"
    if dataset_id in minari.list_local_datasets():
        minari.delete_dataset(dataset_id)
    steps = drive(env, seed=seed)
    episodes = cut(next(steps)["observations"], [next(steps) for _ in track(range(num_steps), description=env_id)])
    minari.create_dataset_from_buffers(
        dataset_id, buffer=episodes, env=env, ref_min_score=0.0, ref_max_score=1.0, description=__doc__
    )
    env.close()
    return f"minari:{dataset_id}"


def drive(env: gymnasium.Env, *, seed: int) -> Iterator[dict[str, Any]]:
    """Yield what is observed at the beginning, then step after step: what each has, under Minari's names."""
    maze: Any = env.unwrapped.maze  # type: ignore[attr-defined]
    generator, shown = np.random.default_rng(seed), AsMaze2D(env)
    walls = np.array(maze.maze_map) == 1
    controller = WaypointController(walls, draw_uniform=generator.random)
    observed, _ = env.reset(seed=seed)
    yield {"observations": observed}
    while True:
        seen = shown.turned(observed)
        state, target = seen["observation"] + TO_CENTRES, seen["desired_goal"] + TO_CENTRES[:2]
        *force, _ = controller.act(*state, *target)
        missing = target - state[:2]
        if np.hypot(*missing) < LAST_LEG:  # the last way-point is the target, which need not be in the middle of a cell
            force = np.clip(10 * missing - state[2:], -1, 1)
        down, right = np.clip(np.array(force) + NOISE * generator.standard_normal(2), -1, 1)
        action = np.array([right, -down], np.float32)
        observed, reward, terminated, truncated, info = env.step(action)
        ends = bool(truncated or info["success"])
        named = {"observations": observed, "actions": action, "rewards": reward}
        yield named | {"terminations": terminated, "truncations": ends}


def cut(first: Any, steps: list[dict[str, Any]]) -> list[EpisodeBuffer]:
    """Steps as episodes, each of which ends where a target is reached."""
    ends = [number for number, step in enumerate(steps, start=1) if step["truncations"]]
    episodes = []
    for start, stop in pairwise(sorted({0, *ends, len(steps)})):
        part = steps[start:stop]
        seen = [first, *(step["observations"] for step in part)]
        first = seen[-1]
        arrays = {name: np.array([step[name] for step in part]) for name in part[0] if name != "observations"}
        observed = {name: np.array([each[name] for each in seen]) for name in first}
        episodes.append(EpisodeBuffer(id=len(episodes), observations=observed, **arrays))
    return episodes


if __name__ == "__main__":
    sys.exit(main())
