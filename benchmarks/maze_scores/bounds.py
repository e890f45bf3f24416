"""Writes the kinematic upper bound of every episode of every maze: what no driver can beat, beside what ours return."""

import argparse
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from dfplan.domains.maze.beginnings import start_protocol
from dfplan.domains.maze.environment import load_maze
from dfplan.domains.maze.protocol import MazeProtocol
from dfplan.evaluation.metrics import score_episodes, summarize

sys.path.append(str(Path(__file__).parents[1]))
from bound import bound_returns
from frame import Benchmark, Named

MAZES = tuple(f"maze2d-{kind}{size}" for kind in ("", "eval-") for size in ("umaze", "medium", "large"))


def options(parser: argparse.ArgumentParser) -> None:
    """What is to be measured."""
    parser.add_argument("mazes", nargs="*", default=MAZES, help=f"such as maze2d-large (default {' '.join(MAZES)})")


def results(arguments: argparse.Namespace) -> Named:
    """A record a maze and goal."""
    for maze in arguments.mazes:
        for goal, family in (("fixed", "maze2d"), ("random", "multi2d")):
            record = bound_record(maze, goal=goal, episodes=arguments.episodes, seed=arguments.seed)
            yield f"{family}-{maze.removeprefix('maze2d-')}-bound", record


def bound_record(env: str, *, goal: str, episodes: int, seed: int) -> dict[str, Any]:
    """A record as an evaluation has it, of an agent that is at its goal as soon and as long as the bound allows."""
    began, env_id = time.perf_counter(), f"{env}-v1"
    maze = load_maze(env_id)
    with MazeProtocol(env_id, goal=goal).begin(range(episodes), seed=seed) as running:
        starts, goals = running.begun.observations[:, :2], running.begun.goals
        returns = bound_returns(
            running.begun.observations,
            goals,
            walls=maze.walls,
            goal_radius=maze.goal_radius,
            num_steps=maze.max_episode_steps,
        )
    at_goal = np.arange(maze.max_episode_steps) >= maze.max_episode_steps - returns[:, None]
    references = {"reference_min": maze.reference_min, "reference_max": maze.reference_max}
    scores = score_episodes(at_goal.astype(float), at_goal=at_goal, **references)
    names = ("raw_return", "normalized_return", "latched_normalized_return", "first_touch_step")
    return {
        "env": env,
        "env_id": env_id,
        "goal": goal,
        "planner": "bound",
        "controller": "none",
        "n_episodes": episodes,
        "seed": seed,
        "device": "cpu",
        "weights": {},
        "metrics": {name: asdict(each) for name, each in summarize(scores).items()},
        "start_protocol": start_protocol(goal),
        "wall_seconds": round(time.perf_counter() - began, 3),
        "episodes": [
            {name: float(getattr(scores, name)[row]) for name in names}
            | {"success": bool(scores.success[row])}
            | {
                name: np.round(each[row].astype(float), 6).tolist()
                for name, each in (("start", starts), ("goal", goals))
            }
            for row in range(episodes)
        ],
    }


BENCHMARK = Benchmark(
    says=__doc__, folder=Path(__file__).parent, measure=results, options=options, episodes=200, seed=0
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
