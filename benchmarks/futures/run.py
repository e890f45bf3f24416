"""What Monte Carlo futures are worth at equal network evaluations: fewer candidates for more futures.

The goal is not shown to the network, so that guidance alone leads to it. Writes a dated file with what plans promise
and what comes of them.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hydra import compose

from dfplan.cli.build import build_planner, find_weights
from dfplan.cli.compose import reading, to_schema
from dfplan.domains.maze.beginnings import draw_beginnings
from dfplan.domains.maze.environment import load_maze

sys.path.append(str(Path(__file__).parents[1]))
from frame import Benchmark, Named
from records import evaluate

RESULTS = Path(__file__).parent / "results"
GUIDED = ["planner.cfg_scale=0", "planner.guidance.distance=30", "planner.guidance.time=100"]
SHARED = ("commit", "machine", "device", "versions", "start_protocol", "weights", "interval")
SCORES = ("latched_normalized_return", "normalized_return", "first_touch_step", "success_rate", "planned_wall_share")


def options(parser: argparse.ArgumentParser) -> None:
    """What is to be measured."""
    parser.add_argument("--futures", type=int, nargs="+", default=[0, 1, 3, 7], help="numbers of futures to compare")
    parser.add_argument("--sequences", type=int, default=16, help="sequences in a network call, futures included")
    parser.add_argument("--goal", default="detour", choices=("fixed", "detour"))
    parser.add_argument("--set", nargs="*", default=[], metavar="key=value", help="options for every row")


def results(arguments: argparse.Namespace) -> Named:
    """Every number of futures."""
    rows: list[dict[str, Any]] = []
    shared: dict[str, Any] = {}
    for futures in arguments.futures:
        candidates = max(1, arguments.sequences // (1 + futures))
        words = [
            *GUIDED,
            f"planner.num_candidates={candidates}",
            f"planner.guidance.num_futures={futures}",
            f"goal={arguments.goal}",
            f"seed={arguments.seed}",
            f"n_episodes={arguments.episodes}",
            f"n_envs={arguments.episodes}",
            *arguments.set,
        ]
        record = evaluate(words)
        if record is None:
            raise SystemExit(2)
        shared = {key: record[key] for key in SHARED}
        row = {"futures": futures, "candidates": candidates, "promised": promised(words)}
        row["achieved"] = {name: record["metrics"][name] for name in SCORES} | record["plan_network"]
        rows.append(row | {"planner": record["config"]["planner"], "n_episodes": record["n_episodes"]})
        print(line_of(rows[-1]), flush=True)
    result = {"question": "value of Monte Carlo futures at equal network evaluations", "goal": arguments.goal}
    yield "", result | {"seed": arguments.seed} | shared | {"rows": rows}


def promised(words: list[str]) -> dict[str, Any]:
    """What the first plans of the episodes say: share that arrives, when, and what they took."""
    with reading(None):
        config = to_schema("eval", compose("eval", overrides=words))
    maze = load_maze(config.env.id)
    weights = find_weights(config.weights, env_name=config.env.name)
    planner = build_planner(
        config.planner, weights=weights, env_name=config.env.name, device=torch.device("cpu"), say=print
    )
    beginnings = draw_beginnings(range(config.n_episodes), maze=maze, goal=config.goal, seed=config.seed)
    starts = beginnings.starts
    goals = np.tile(maze.goal_cell, (len(starts), 1)) if beginnings.goals is None else beginnings.goals
    began = time.perf_counter()
    plan = planner.plan(
        np.concatenate([starts, np.zeros_like(starts)], axis=1),
        goals,
        horizon=config.planner.horizon or maze.max_episode_steps,
        generators=[torch.Generator().manual_seed(seed) for seed in beginnings.agent_seeds],
    )
    arrives = plan.arrival <= plan.num_steps
    return {
        "share_that_arrives": float(arrives.mean()),
        "median_arrival": float(np.median(plan.arrival[arrives])) if arrives.any() else None,
        "evaluations": float(np.mean(plan.evaluations)),
        "token_evaluations": float(np.mean(plan.token_evaluations)),
        "seconds_per_plan": (time.perf_counter() - began) / len(starts),
    }


def line_of(row: dict[str, Any]) -> str:
    """One row for people."""
    said, done = row["promised"], row["achieved"]
    latched, touch = done["latched_normalized_return"], done["first_touch_step"]
    return (
        f"{row['futures']} futures x {row['candidates']} candidates: {said['share_that_arrives']:.0%} of plans arrive, "
        f"median step {said['median_arrival']}; latched {latched['mean']:.1f} [{latched['low']:.1f}, "
        f"{latched['high']:.1f}], first touch {touch['mean'] or float('nan'):.0f}; "
        f"{said['evaluations']:.0f} evaluations, {said['token_evaluations']:.0f} tokens, "
        f"{said['seconds_per_plan']:.2f} s a plan"
    )


BENCHMARK = Benchmark(
    says=__doc__, folder=Path(__file__).parent, measure=results, options=options, episodes=100, seed=1000
)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
