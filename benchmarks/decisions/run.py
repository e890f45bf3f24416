"""How long does a decision take on one core? One robot at a time, as a policy and planned, weights of each world."""

import argparse
import resource
import sys
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

sys.path.append(str(Path(__file__).parents[1]))
from agents import WORLDS, add_worlds, make_agent
from frame import Benchmark, Named
from records import Record
from worlds import CHOSEN, ONE_SAMPLE

from dfplan.evaluation.rollout import Agent, begin
from dfplan.protocol import EvaluationProtocol
from dfplan.types import PlanEvent

HERE = Path(__file__).parent
# Where one sample is what the command line takes, to plan is to choose among several in the model.
PLANNED = {"push": CHOSEN, "pusht": CHOSEN, "maze2d-large": ("planner=fast",)}
# In the maze a sample as it comes is carried out as it was planned.
POLICY = {"maze2d-large": (*ONE_SAMPLE, "controller=actions")}
WARMING_UP = 10  # plans that are not counted


def options(parser: argparse.ArgumentParser) -> None:
    """What is to be measured."""
    add_worlds(parser)
    parser.add_argument("--plans", type=int, default=300, help="that are timed of each row (default 300)")


def results(arguments: argparse.Namespace) -> Named:
    """One world after the other."""
    for name, weights in arguments.worlds:
        yield name, measure_world(name, weights, arguments)


def measure_world(name: str, weights: str, arguments: argparse.Namespace) -> Record:
    """Both rows of a world."""
    asked = [f"env={WORLDS[name]}", f"weights={weights}", "n_envs=1", f"seed={arguments.seed}"]
    rows = {}
    for title, options in {"policy": POLICY.get(name, ONE_SAMPLE), "planned": PLANNED.get(name, ())}.items():
        rows[title] = measure([*asked, *options], num_plans=arguments.plans, seed=arguments.seed)
        told = rows[title]["plan_ms"]
        print(f"{name}, {title}: p50 {told['p50']:.1f} ms, p95 {told['p95']:.1f} ms", flush=True)
    return {
        "question": "milliseconds of a decision, for one robot, on one core",
        "task": name,
        "figures": {f"{name}.{title}": row["plan_ms"] for title, row in rows.items()},
        "rows": rows,
    }


def measure(options: Sequence[str], *, num_plans: int, seed: int) -> Record:
    """What decisions take of an agent as `dfplan eval` makes it of options."""
    made = make_agent(options)
    return timed_decisions(made.agent, made.protocol, num_plans=num_plans, seed=seed) | made.said


def timed_decisions(agent: Agent, protocol: EvaluationProtocol, *, num_plans: int, seed: int) -> Record:
    """Roll episodes out one after the other until so many plans were made; time each call of the agent.

    A decision for which nothing was planned, since a plan goes on, takes next to nothing: percentiles are of those with
    a plan alone, the rate is of all.
    """
    wall, cpu, planned = list[float](), list[float](), list[bool]()
    events: list[PlanEvent] = []
    agent.on_plan = events.append
    before = resource.getrusage(resource.RUSAGE_SELF)
    for episode in count():
        with protocol.begin(range(episode, episode + 1), seed=seed) as running:
            begin(agent, running)
            now, steps = running.begun, 0
            while steps < protocol.most_steps and not now.over.all():
                events.clear()
                began, spent = time.perf_counter(), time.process_time()
                actions = agent.act(now.observations)
                wall.append(time.perf_counter() - began)
                cpu.append(time.process_time() - spent)
                planned.append(bool(events))
                if sum(planned) == num_plans + WARMING_UP:
                    return _told(np.array(wall), np.array(cpu), np.array(planned)) | held_up(before)
                now, steps = running.step(actions), steps + 1
    raise AssertionError("episodes never end")


def held_up(before: Any) -> dict[str, int]:
    """How often others took the core since ``before``: where they did, the clock tells of them, too."""
    return {"preempted": resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw - before.ru_nivcsw}


def _told(wall: np.ndarray, cpu: np.ndarray, planned: np.ndarray) -> Record:
    """Of times ``(decisions,)`` in seconds what is told, but for those of warming up."""
    first = np.flatnonzero(planned)[WARMING_UP]
    wall, cpu, planned = wall[first:], cpu[first:], planned[first:]
    return {
        "plan_ms": percentiles(wall[planned]),
        "plan_cpu_ms": percentiles(cpu[planned]),
        "decisions": len(wall),
        "decisions_per_second": round(len(wall) / float(wall.sum()), 1),
        "seconds": wall[planned].round(6).tolist(),
    }


def percentiles(seconds: np.ndarray) -> dict[str, float]:
    """Milliseconds."""
    p50, p95 = np.quantile(1000 * seconds, [0.5, 0.95])
    return {"p50": round(float(p50), 3), "p95": round(float(p95), 3), "n": len(seconds)}


BENCHMARK = Benchmark(says=__doc__, folder=HERE, measure=results, options=options, seed=1000)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
