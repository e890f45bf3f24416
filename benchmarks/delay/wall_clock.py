"""The same by the wall clock: a robot that moves on 50 times a second, and a planner in a process of its own."""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

sys.path.append(str(Path(__file__).parents[1]))
from agents import WORLDS, Made, add_worlds, make_agent
from frame import Benchmark, Named
from records import Record
from run import changes
from worlds import ONE_SAMPLE, interval

from dfplan.cli.build import find_weights
from dfplan.evaluation.metrics import mean_interval
from dfplan.evaluation.rollout import evaluate_agent
from dfplan.planner import PlannerSettings
from dfplan.protocol import Running
from dfplan.realtime import (
    ActInfo,
    ActionQueue,
    ObservationGate,
    Patience,
    PlannerProcess,
    PlanningSupervisor,
    RealtimeAgent,
    run_loop,
    undisturbed,
)
from dfplan.realtime.process import planner_command
from dfplan.types import Bounds

HERE = Path(__file__).parent
RATE = 50.0
DELAYS = (1, 4)
SHARE = 0.7  # of the last period of a delay after which a plan is there: what comes later would be late


class ClockedRobot:
    """An environment that moves on with every tick of the wall clock, commanded or not, once it has been driven.

    Args:
        running: one episode that has begun.
        bounds: of what is planned from; what is observed beyond is moved to its edge.
        rate: ticks a second.
        most_steps: of an episode.
    """

    def __init__(self, running: Running, *, bounds: Bounds, rate: float, most_steps: int) -> None:
        self._running, self._now, self._bounds, self._rate = running, running.begun, bounds, rate
        self._most_steps, self.steps = most_steps, 0
        self._action = np.zeros(running.action_shape, np.float32)
        self._began: float | None = None  # when the first plan was there
        self.rewards, self.late = 0.0, 0
        self.driven, self.joins = list[np.ndarray](), set[int]()  # by which actions, and which are first of a plan
        self.delays = Counter[int]()

    def is_over(self) -> bool:
        """Whether the episode is."""
        return bool(self._now.over[0]) or self.steps >= self._most_steps

    @property
    def success(self) -> bool | None:
        """Whether the last step was one; None where nobody says."""
        return None if self._now.success is None else bool(self._now.success[0])

    def observe(self) -> tuple[np.ndarray, float]:
        """See :class:`dfplan.realtime.loop.Robot`; ticks that nobody answered are driven by the action before."""
        now = time.monotonic()
        due = 0 if self._began is None else int((now - self._began) * self._rate + 0.5)
        while self.steps < due and not self.is_over():
            self.late += 1
            self._step()
        return np.clip(self._now.observations[0].astype(np.float64), self._bounds.low, self._bounds.high), now

    def send(self, action: np.ndarray) -> None:
        """See :class:`dfplan.realtime.loop.Robot`; the robot moves in :meth:`on_tick`."""
        self._action = action[None].astype(np.float32)

    def on_tick(self, info: ActInfo) -> None:
        """Move; the robot stands still until the first plan is there."""
        self.delays[info.delay_steps] += 1
        if info.joined:
            self.joins.add(self.steps)
        if self._began is None and info.source == "plan":
            self._began = time.monotonic()
        if self._began is not None and not self.is_over():
            self._step()

    def _step(self) -> None:
        self._now = self._running.step(self._action)
        self.driven.append(self._action[0])
        self.rewards += float(self._now.rewards[0])
        self.steps += 1


def options(parser: argparse.ArgumentParser) -> None:
    """What is to be measured."""
    add_worlds(parser)
    parser.add_argument("--one-sample", action="store_true", help="carried out as it comes: nothing is ranked")
    parser.add_argument("--delays", type=int, nargs="+", default=DELAYS, metavar="STEPS")


def results(arguments: argparse.Namespace) -> Named:
    """One world after the other."""
    for name, weights in arguments.worlds:
        for record in measure_world(name, weights, arguments):
            yield record["task"], record


def measure_world(name: str, weights: str, arguments: argparse.Namespace) -> Iterator[Record]:
    """The robot that waits, and one by the wall clock for each delay: a record each."""
    options = ONE_SAMPLE if arguments.one_sample else ()
    made = make_agent([f"env={WORLDS[name]}", f"weights={weights}", *options])
    title = f"{name}-one-sample" if arguments.one_sample else name
    episodes = {"num_episodes": arguments.episodes, "seed": arguments.seed}
    waiting = evaluate_agent(made.agent, made.protocol, num_envs=arguments.episodes, **episodes)
    success = None if waiting.success is None else np.array([each[-1] for each in waiting.success], float)
    waited = waiting.returns if success is None else success
    folder = find_weights(weights, env_name=name)
    for delay in arguments.delays:
        found = by_the_clock(made, folder, delay=delay, waited=waited, **episodes)
        print(f"{title}, {delay} steps: loses {found['loss_percent']}, {found['sources']}", flush=True)
        yield {
            "question": f"what does a robot lose that moves {RATE:g} times a second, whether its plan is there or not?",
            "task": f"{title}-{delay}-wall-clock",
            "figures": {f"{title}.wall_clock.{delay}.loss_percent": found["loss_percent"]},
            "rate": RATE,
            "delay": delay,
            "episode_seed": arguments.seed,
            "waiting": interval(waited[None]),
            **found,
            **made.said,
        }


def by_the_clock(
    made: Made, folder: Path, *, delay: int, waited: np.ndarray, num_episodes: int, seed: int
) -> dict[str, Any]:
    """What is earned by the clock where a plan takes ``delay`` steps, and what a robot that ``waited`` earns more."""
    earned, counts, robots = list[float](), Counter[str](), list[ClockedRobot]()
    ticks = missed = 0
    with real_time_agent(made, folder, delay=delay) as agent, undisturbed() as goes_first:
        for episode in range(num_episodes):
            with made.protocol.begin(range(episode, episode + 1), seed=seed) as running:
                most, bounds = made.protocol.most_steps, made.planner.reach.observations
                robot = ClockedRobot(running, bounds=bounds, rate=RATE, most_steps=most)
                told = running.told_goals
                agent.reset(seed=running.agent_seeds[0] % 2**31, goal=np.zeros(0) if told is None else told[0])
                report = run_loop(
                    robot, agent, rate=RATE, num_ticks=4 * most, is_over=robot.is_over, on_tick=robot.on_tick
                )
            success = robot.success
            earned.append(robot.rewards if success is None else float(success))
            counts.update(report.sources)
            robots.append(robot)
            ticks, missed = ticks + report.ticks, missed + report.missed
    delays = sum((each.delays for each in robots), Counter[int]())
    return {
        "earned": interval(np.array(earned)[None]),
        "each": earned,
        "loss_percent": vars(mean_interval(100 * (waited - earned) / waited.mean())) | {"n": num_episodes},
        "ticks": ticks,
        "missed": missed,
        "late": sum(each.late for each in robots),
        "sources": dict(counts),
        "delays": {str(steps): number for steps, number in sorted(delays.items())},
        **changes(
            [np.array(each.driven) for each in robots],
            [each.joins for each in robots],
            bounds=made.planner.action_bounds,
        ),
        "real_time_priority": goes_first,
    }


@contextmanager
def real_time_agent(made: Made, folder: Path, *, delay: int) -> Iterator[RealtimeAgent]:
    """An agent whose planner, in a process of its own, answers within the last period of a delay."""
    planner, controller = made.planner, made.said["config"]["controller"]
    often = max(controller["replan_every"], delay)
    horizon = max(made.said["config"]["planner"]["horizon"] or 0, often + 2 * delay)
    command = planner_command(folder, horizon=horizon, settings=changed_numbers(planner.settings))
    late = [sys.executable, str(HERE / "late_planner.py"), f"--least-seconds={(delay - 1 + SHARE) / RATE}"]
    planning = PlanningSupervisor(
        PlannerProcess([*late, *command[3:]] if delay > 1 else command),
        action_low=planner.action_bounds.low,
        action_high=planner.action_bounds.high,
        observation_dim=planner.observation_dim,
        clock=time.monotonic,
        plan_timeout=3.0,
    )
    planning.start()
    bounds, goals = planner.reach.observations, planner.reach.goals
    agent = RealtimeAgent(
        planning,
        gate=ObservationGate(low=bounds.low, high=bounds.high, max_age=4 / RATE),
        follower=ActionQueue(),
        replan_every=controller["replan_every"],
        period=1 / RATE,
        patience=Patience(tolerance=np.inf, max_bad_observations=1000),
        goal_bounds=goals,
    )
    try:
        yield agent
    finally:
        agent.close()


def changed_numbers(settings: PlannerSettings) -> dict[str, float]:
    """Numbers of settings that are not as they are by default."""
    found = {each.name: getattr(settings, each.name) for each in fields(settings)}
    default = PlannerSettings()
    return {
        name: value
        for name, value in found.items()
        if isinstance(value, bool | int | float) and value != getattr(default, name)
    }


BENCHMARK = Benchmark(says=__doc__, folder=HERE, measure=results, options=options, episodes=50, seed=1000)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
