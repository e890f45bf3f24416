"""Do weights of D4RL's maze2d drive Gymnasium-Robotics' PointMaze v3? The same walls and ball, other coordinates."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch

from dfplan.agent import MPCAgent, ShootingTracker
from dfplan.cli.build import describe_weights, find_weights
from dfplan.domain import Spec
from dfplan.domains.episodes import EpisodeProtocol
from dfplan.domains.gymnasium import register_known
from dfplan.evaluation.report import build_record
from dfplan.evaluation.rollout import evaluate_agent
from dfplan.models import load_forcing_model
from dfplan.planner import Planner, PlannerSettings
from dfplan.types import Bounds

sys.path.append(str(Path(__file__).parents[1]))
from frame import Benchmark, Named

HERE = Path(__file__).parent
SIZES = {"umaze": "UMaze", "medium": "Medium", "large": "Large"}  # as PointMaze calls them
REPLAN_EVERY = 32  # as controller=shooting has it


class AsMaze2D(gymnasium.Wrapper):
    """A PointMaze in the coordinates of maze2d, as ``dfplan.domains.maze.pointmaze`` has them for data.

    PointMaze has its origin in the middle, x to the right and y upwards; in maze2d x is the row, y the column, and
    cell (i, j) is centred on ``(i - 0.2, j - 0.2)``.
    """

    def __init__(self, env: gymnasium.Env) -> None:
        super().__init__(env)
        maze: Any = env.unwrapped.maze  # type: ignore[attr-defined]
        self.middle = np.array([maze.map_length, maze.map_width]) / 2 - 0.7

    def reset(self, **given: Any) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Begin an episode."""
        observed, info = self.env.reset(**given)
        return self.turned(observed), info

    def step(self, action: Any) -> Any:
        """Push; the action is of maze2d, the row's axis first."""
        down, right = action
        observed, *outcome = self.env.step(np.array([right, -down]))
        return self.turned(observed), *outcome

    def turned(self, observed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """What PointMaze shows, in the coordinates of maze2d."""
        state = observed["observation"]
        return {
            "observation": np.concatenate([self.place(state[:2]), [-state[3], state[2]]]),
            "desired_goal": self.place(observed["desired_goal"]),
        }

    def place(self, xy: np.ndarray) -> np.ndarray:
        """A position."""
        return self.middle + np.array([-xy[1], xy[0]])


class PointMazes:
    """Makes them; see :class:`~dfplan.domains.episodes.Environments`."""

    tells_goals = True

    def __init__(self, env_id: str) -> None:
        self.env_id = env_id
        steps: Any = self.make().spec.max_episode_steps  # type: ignore[union-attr]
        self.spec = Spec(4, Bounds(-np.ones(2), np.ones(2)), goal_dim=2, episode_steps=steps)

    def make(self) -> gymnasium.Env:
        """A new one."""
        register_known(self.env_id)
        return AsMaze2D(gymnasium.make(self.env_id, disable_env_checker=True))

    def observation(self, observed: Any) -> np.ndarray:
        """Position and speed."""
        return observed["observation"].astype(np.float32)

    def goal(self, observed: Any) -> np.ndarray:
        """Where to go."""
        return observed["desired_goal"].astype(np.float32)

    def reset_options(self, episode: int) -> None:
        """None: it begins as it likes."""


def options(parser: argparse.ArgumentParser) -> None:
    """What is to be measured."""
    parser.add_argument(
        "sizes", nargs="*", default=["medium", "large"], help=f"{', '.join(SIZES)} (default: the last two)"
    )
    parser.add_argument(
        "--weights",
        default="bundled",
        help="folder of training runs maze2d-<size> on PointMaze data (default: bundled)",
    )
    parser.add_argument(
        "--planner", nargs="*", default=[], metavar="KEY=VALUE", help="settings that are not the defaults, of numbers"
    )


def results(arguments: argparse.Namespace) -> Named:
    """One size after the other, of the weights that are asked for."""
    torch.set_num_threads(1)
    for size in arguments.sizes:
        record = measure(size, arguments)
        print(record["figures"])
        yield f"pointmaze-{size}-{'bundled' if arguments.weights == 'bundled' else 'minari'}", record


def measure(size: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """The record of one size."""
    is_bundled, name = arguments.weights == "bundled", f"maze2d-{size}"
    folder = find_weights("bundled" if is_bundled else str(Path(arguments.weights) / name), env_name=name)
    model, env_id = load_forcing_model(folder), f"PointMaze_{SIZES[size]}-v3"
    trained = model.metadata["provenance"]["config"]
    environments = PointMazes(env_id)
    planned = {key: json.loads(value) for key, value in (word.split("=") for word in arguments.planner)}
    agent = MPCAgent(
        Planner(model, settings=PlannerSettings(**planned)),
        controller=ShootingTracker(model.dynamics, goal_radius=model.goal_radius),
        replan_every=REPLAN_EVERY,
        horizon=environments.spec.episode_steps,
    )
    protocol = EpisodeProtocol(environments)
    rollouts = evaluate_agent(agent, protocol, num_episodes=arguments.episodes, num_envs=20, seed=arguments.seed)
    measures = protocol.measure(rollouts)
    weights = {"name": name, **describe_weights(folder, model.metadata)}
    weights |= {"dataset": {"source": trained["data"], **trained["dataset"]}, "training": trained["training"]}
    named = {"env": env_id, "planner": model.metadata["model"]["name"], "controller": "shooting", "device": "cpu"}
    return build_record(rollouts, measures, weights=weights, **named) | {
        "question": "do weights in the coordinates of maze2d drive PointMaze v3?",
        "planned": planned,
        "figures": {
            f"pointmaze-{size}-v3.{'bundled' if is_bundled else 'success'}": {
                **measures.metrics["success_rate"],
                "n": len(rollouts),
            }
        },
    }


BENCHMARK = Benchmark(says=__doc__, folder=HERE, measure=results, options=options, episodes=200, seed=1000)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
