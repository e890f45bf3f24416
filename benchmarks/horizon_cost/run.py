"""Measures what a longer horizon costs in time, and a longer episode in memory; keeps a dated file and a plot."""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from matplotlib.figure import Figure

from dfplan.agent import MPCAgent, PlannedActions
from dfplan.cli.build import describe_weights
from dfplan.cli.folders import bundled_weights
from dfplan.evaluation.timing import METHOD, peak_process_bytes, reset_peak
from dfplan.models import load_forcing_model
from dfplan.planner import Planner, PlannerSettings

sys.path.append(str(Path(__file__).parents[1]))
from frame import Benchmark, Named

HERE = Path(__file__).parent
WEIGHTS = bundled_weights() / "maze2d-large"
HORIZONS = (200, 400, 800, 1600, 3200)
EPISODES = (800, 8000)  # steps
NOWHERE = np.array([[100.0, 100.0]])  # a goal that no plan comes to, so that each is as long as its horizon


def options(parser: argparse.ArgumentParser) -> None:
    """What is to be measured."""
    parser.add_argument("--repeats", type=int, default=10, help="plans of each horizon (default 10)")
    parser.add_argument("--episode", type=int, help="act for so many steps, print the peak memory, and leave")


def results(arguments: argparse.Namespace) -> Named:
    """Horizons, and episodes in processes of their own."""
    torch.set_num_threads(arguments.threads)
    planner = Planner(load_forcing_model(WEIGHTS), settings=PlannerSettings())
    if arguments.episode:
        print(json.dumps(episode_peak(planner, steps=arguments.episode)))
        return
    rows = time_horizons(planner, repeats=arguments.repeats)
    for row in rows:
        print(f"{row['horizon']:5} steps {1000 * row['seconds']:8.1f} ms, {row['ratio'] or 1:.2f} × the half")
    peaks = [peak_in_a_process(steps, threads=arguments.threads) for steps in EPISODES]
    print(f"peak memory {peaks[0] / 2**20:.0f} MB in {EPISODES[0]} steps, {peaks[1] / 2**20:.0f} in {EPISODES[1]}")
    record = {
        "question": "planning time against the horizon, and peak memory against the length of an episode",
        "weights": describe_weights(WEIGHTS, planner.model.metadata),
        "threads": arguments.threads,
        "horizons": rows,
        "episodes": [{"steps": steps, "peak_bytes": peak} for steps, peak in zip(EPISODES, peaks, strict=True)],
        "memory_method": METHOD,
    }
    yield "", record
    if arguments.keep:
        draw(record, HERE / "plots" / "horizon.png")


def time_horizons(planner: Planner, *, repeats: int) -> list[dict[str, Any]]:
    """Median seconds of a plan of each horizon, in turns, and each as a multiple of that of half the horizon."""
    seconds: dict[int, list[float]] = {horizon: [] for horizon in HORIZONS}
    plan(planner, HORIZONS[0], seed=0)  # what is slow the first time only is no cost of a plan
    for repeat in range(repeats):
        for horizon, found in seconds.items():
            began = time.perf_counter()
            plan(planner, horizon, seed=repeat)
            found.append(time.perf_counter() - began)
    medians = {horizon: float(np.median(found)) for horizon, found in seconds.items()}
    return [
        {
            "horizon": horizon,
            "seconds": median,
            "samples": [round(each, 6) for each in seconds[horizon]],
            "ratio": median / medians[horizon // 2] if horizon // 2 in medians else None,
        }
        for horizon, median in medians.items()
    ]


def plan(planner: Planner, horizon: int, *, seed: int) -> None:
    """One plan of the whole horizon for one environment.

    Raises:
        RuntimeError: it is shorter.
    """
    generators = [torch.Generator().manual_seed(seed)]
    found = planner.plan(np.array([[1.0, 1.0, 0.0, 0.0]]), NOWHERE, horizon=horizon, generators=generators)
    if found.num_steps[0] < horizon:
        raise RuntimeError(f"the plan has {found.num_steps[0]} steps, not {horizon}")


def peak_in_a_process(steps: int, *, threads: int) -> int:
    """Peak memory of an episode, in a process of its own."""
    command = [sys.executable, __file__, "--episode", str(steps), "--threads", str(threads)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def episode_peak(planner: Planner, *, steps: int) -> int:
    """Act for a whole episode that plans anew every 32 steps, in the real environment."""
    env = gymnasium.make("dfplan_envs:maze2d-large-v1", max_episode_steps=steps)
    agent = MPCAgent(planner, controller=PlannedActions(), replan_every=32, horizon=320)
    observation, info = env.reset(seed=0)
    agent.reset(seeds=[0], goals=info["goal"][None])
    reset_peak()
    for _ in range(steps):
        observation, *_ = env.step(agent.act(observation[None])[0])
    env.close()
    return peak_process_bytes()


def draw(record: dict[str, Any], path: Path) -> None:
    """Time against horizon, and the line on which doubling one doubles the other."""
    horizons = np.array([row["horizon"] for row in record["horizons"]])
    times = 1000 * np.array([row["seconds"] for row in record["horizons"]])
    figure = Figure(figsize=(6, 4), layout="constrained", dpi=100)
    axis = figure.subplots()
    axis.plot(horizons, times, "o-", color="#0072B2", label="measured (median)")
    axis.plot(horizons, times[0] * horizons / horizons[0], "--", color="#9CA3AF", label="in proportion to the first")
    axis.set(xscale="log", yscale="log", xlabel="horizon, steps", ylabel="ms of a plan, one environment")
    axis.set_xticks(horizons, [str(each) for each in horizons])
    axis.set_xticks([], minor=True)
    axis.grid(alpha=0.3, which="both")
    axis.legend()
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path)


BENCHMARK = Benchmark(says=__doc__, folder=HERE, measure=results, options=options, threads=2, on_request=True)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
