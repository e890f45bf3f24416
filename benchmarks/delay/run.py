"""What does it cost that plans take steps to make? Success and return against the delay, told to the planner or not."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parents[1]))
from agents import WORLDS, add_worlds, make_agent
from frame import Benchmark, Named
from records import Record
from worlds import ONE_SAMPLE, interval, successes

from dfplan.evaluation.rollout import evaluate_agent
from dfplan.types import Bounds, PlanEvent

HERE = Path(__file__).parent
DELAYS = (0, 1, 2, 4, 8)
TELLS = {"told": True, "not told": False}


@dataclass(frozen=True)
class Way:
    """A delay in steps, and whether the planner is told what is done in the meantime."""

    delay: int
    tells: bool

    @property
    def options(self) -> list[str]:
        """Of `dfplan eval`."""
        told = str(self.tells).lower()
        return [f"controller.inference_delay={self.delay}", f"controller.prev_chunk_left_over={told}"]


def options(parser: argparse.ArgumentParser) -> None:
    """What is to be measured."""
    add_worlds(parser)
    parser.add_argument("--one-sample", action="store_true", help="carried out as it comes: nothing is ranked")
    parser.add_argument("--delays", type=int, nargs="+", default=DELAYS, metavar="STEPS")


def results(arguments: argparse.Namespace) -> Named:
    """One world after the other."""
    for name, weights in arguments.worlds:
        record = measure_world(name, weights, arguments)
        yield record["task"], record


def measure_world(name: str, weights: str, arguments: argparse.Namespace) -> Record:
    """Every delay of a world, told and not told."""
    asked = [f"env={WORLDS[name]}", f"weights={weights}", *(ONE_SAMPLE if arguments.one_sample else ())]
    name = f"{name}-one-sample" if arguments.one_sample else name
    rows = []
    for title, tells in TELLS.items():
        for delay in arguments.delays if tells else [each for each in arguments.delays if each]:
            how = Way(delay, tells)
            found = measure(asked, how, episodes=arguments.episodes, seed=arguments.seed)
            rows.append({"told": tells, "delay": delay} | found)
            print(f"{name}, {title}, {delay} steps: {found.get('success', found['return'])}", flush=True)
    value = "success" if "success" in rows[0] else "return"
    return {
        "question": "what is earned where a plan is there some steps after the observation that it was made of?",
        "task": name,
        "episode_seed": arguments.seed,
        "figures": {f"{name}.{'told' if row['told'] else 'not_told'}.{row['delay']}": row[value] for row in rows},
        "rows": rows,
    }


def measure(asked: Sequence[str], how: Way, *, episodes: int, seed: int) -> Record:
    """What an agent earns that waits so long for its plans, and how much actions change where plans join."""
    made = make_agent([*asked, *how.options])
    events: list[PlanEvent] = []
    made.agent.on_plan = events.append
    rollouts = evaluate_agent(made.agent, made.protocol, num_episodes=episodes, num_envs=episodes, seed=seed)
    told = made.protocol.measure(rollouts).episodes
    row: Record = {"return": interval(rollouts.returns[None]), "returns": rollouts.returns.round(4).tolist()}
    if "success" in told[0]:
        row["success"] = successes(np.array([[each["success"] for each in told]]))
    if "coverage" in told[0]:
        row["coverage"] = interval(np.array([[each["coverage"] for each in told]]))
    joins = steps_of_joins(events, delay=how.delay, episodes=episodes)
    return row | changes(rollouts.actions, joins, bounds=made.planner.action_bounds) | made.said


def steps_of_joins(events: Sequence[PlanEvent], *, delay: int, episodes: int) -> list[set[int]]:
    """For each episode the steps at which an action is the first of a plan but the first plan."""
    found: list[set[int]] = [set() for _ in range(episodes)]
    for event in events:
        for episode in event.indices.tolist():
            found[episode].add(event.step + delay)
    return [steps - {delay} for steps in found]  # the first plan of an episode is waited for


def changes(actions: Sequence[np.ndarray], joins: Sequence[set[int]], *, bounds: Bounds) -> dict[str, float]:
    """Mean change of an action from step to step, in percent of its range: where plans join, and elsewhere.

    Args:
        actions: an array ``(steps, action_dim)`` an episode.
        joins: of each episode, steps whose action is of another plan than the one before.
        bounds: of actions.
    """
    at_joins, elsewhere = list[float](), list[float]()
    for played, steps in zip(actions, joins, strict=True):
        moved = 100 * (np.abs(np.diff(played, axis=0)) / (bounds.high - bounds.low)).mean(axis=1)
        joining = np.isin(np.arange(1, len(played)), list(steps))
        at_joins += moved[joining].tolist()
        elsewhere += moved[~joining].tolist()
    return {
        "change_at_joins": round(float(np.mean(at_joins)), 3),
        "change_elsewhere": round(float(np.mean(elsewhere)), 3),
    }


BENCHMARK = Benchmark(says=__doc__, folder=HERE, measure=results, options=options, episodes=50, seed=1000)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
