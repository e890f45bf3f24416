"""Measures the real-time agent by the wall clock, against the maze robot in another process; writes dated results."""

import argparse
import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
sys.path.append(str(Path(__file__).parents[1]))
from drive_maze_robot import STEPS, build_agent, drive_episode, maze_robot
from frame import Benchmark, Named
from held_up import witnessed
from injected import inject_observations
from records import Record

from dfplan.agent import MPCAgent, PlannedActions, ShootingTracker
from dfplan.cli.build import describe_weights
from dfplan.cli.folders import bundled_weights
from dfplan.domains.maze.environment import load_maze
from dfplan.evaluation.metrics import mean_interval
from dfplan.models import load_forcing_model
from dfplan.models.bundle import load_bundle
from dfplan.planner import Planner, PlannerSettings
from dfplan.realtime.agent import ActInfo, RealtimeAgent
from dfplan.realtime.loop import LoopReport
from dfplan.realtime.priority import undisturbed
from dfplan.realtime.process import planner_command
from dfplan.realtime.wire import Message

CONTROLLERS = ("shooting", "actions")
WEIGHTS = bundled_weights() / "maze2d-large"
SLOWDOWNS = (1, 2, 5, 10, 20, 50)
FIRST_SEED = 1000  # of the robot's episodes; the reported scores use others


def soak(*, minutes: float, rate: float = 20.0, command: list[str] | None = None) -> dict[str, Any]:
    """Drive episode after episode, and watch the loop's own process meanwhile."""
    agent = build_agent(weights=WEIGHTS, rate=rate, controller="shooting", command=command, plan_timeout=10.0)
    episodes = max(1, round(minutes * 60 * rate / STEPS))
    total, memory = _Total(), []
    with maze_robot(rate=rate, goal="random") as link, witnessed() as held_up, undisturbed() as goes_first:
        for episode in range(episodes):
            total.add(*drive_episode(link, agent, rate=rate, seed=FIRST_SEED + episode, on_tick=held_up.on_tick))
            memory.append(_resident_bytes())
            print(f"episode {episode + 1} of {episodes}: missed {total.missed} of {total.ticks} so far", flush=True)
    agent.close()
    # The first episode still fills caches and pools.
    settled = memory[min(1, len(memory) - 1)]
    return total.record() | {
        "minutes": episodes * STEPS / rate / 60,
        "rate": rate,
        "real_time_priority": goes_first,
        "late": held_up.late,
        "late_while_held_up": held_up.late_while_held_up,
        "memory_growth_mb": (memory[-1] - settled) / 1e6,
        "threads": threading.active_count(),
        "open_files": len(os.listdir("/proc/self/fd")),
    }


def slowed(*, minutes: float, rate: float = 20.0) -> list[dict[str, Any]]:
    """The same with a planner that takes longer and longer."""
    program = [sys.executable, str(Path(__file__).with_name("slow_planner.py"))]
    options = planner_command(WEIGHTS, horizon=STEPS)[3:]
    return [
        {"slowdown": slowdown}
        | soak(minutes=minutes, rate=rate, command=[*program, *options, f"--slowdown={slowdown}"])
        for slowdown in SLOWDOWNS
    ]


def planner_faults(*, trials: int, rate: float = 20.0, plan_timeout: float = 0.5) -> list[dict[str, Any]]:
    """Kill and freeze the planner at random moments; note when it is noticed, and when there is a new one."""
    agent = build_agent(weights=WEIGHTS, rate=rate, controller="shooting", plan_timeout=plan_timeout)
    generator, found = np.random.default_rng(0), []
    with maze_robot(rate=rate, goal="random") as link, undisturbed() as goes_first:
        for trial in range(trials):
            fault = _PlannerFault(
                agent, at=int(generator.integers(20, 200)), how=(signal.SIGKILL, signal.SIGSTOP)[trial % 2]
            )
            report, _ = drive_episode(link, agent, rate=rate, seed=FIRST_SEED + trial, on_tick=fault.on_tick)
            fault.wait_until_mended()
            found.append(
                fault.record()
                | {"allowed_seconds": plan_timeout + 1 / rate, "missed": report.missed, "sources": report.sources}
                | {"faults": report.faults, "real_time_priority": goes_first}
            )
    agent.close()
    return found


class _PlannerFault:
    """Does something to the planner process at a tick, and notes the ticks at which it was noticed and mended."""

    def __init__(self, agent: RealtimeAgent, *, at: int, how: signal.Signals) -> None:
        self._agent, self._at, self._how = agent, at, how
        self._done = self._noticed = self._mended = float("nan")

    def on_tick(self, info: ActInfo) -> None:
        now = time.monotonic()
        if info.step == self._at:
            os.kill(self._agent._planning._worker.process_id, self._how)  # a benchmark may look behind the curtain
            self._done = now
        elif set(info.faults) & {"planner_died", "planner_hung"} and np.isnan(self._noticed):
            self._noticed = now
        elif not np.isnan(self._noticed) and np.isnan(self._mended) and not self._agent._planning.is_down:
            self._mended = now

    def wait_until_mended(self, *, seconds: float = 180.0) -> None:
        """On a busy machine a new planner takes longer than the episode; the next trial needs one that is well."""
        planning, until = self._agent._planning, time.monotonic() + seconds
        if self._agent.is_stopped:
            self._agent.release()
        while planning.is_down and time.monotonic() < until:
            planning.update(timeout=1.0)
        if np.isnan(self._mended) and not planning.is_down:
            self._mended = time.monotonic()

    def record(self) -> dict[str, Any]:
        noticed, mended = self._noticed - self._done, self._mended - self._done
        return {
            "fault": self._how.name,
            "noticed_seconds": None if np.isnan(noticed) else round(noticed, 4),
            "mended_seconds": None if np.isnan(mended) else round(mended, 4),
        }


def score(*, episodes: int, rate: float, controller: str) -> dict[str, Any]:
    """The same episodes by the wall clock and with a robot that waits; the difference is paired by episode."""
    agent = build_agent(weights=WEIGHTS, rate=rate, controller=controller)
    seeds, total, timed = range(FIRST_SEED, FIRST_SEED + episodes), _Total(), []
    with maze_robot(rate=rate) as link, undisturbed() as goes_first:
        for seed in seeds:
            report, finished = drive_episode(link, agent, rate=rate, seed=seed)
            total.add(report, finished)
            timed.append(finished["score"])
    agent.close()
    waited = _waiting_scores(seeds, controller=controller)
    loss = 100 * (np.array(waited) - timed) / np.mean(waited)
    return total.record() | {
        "rate": rate,
        "real_time_priority": goes_first,
        "controller": controller,
        "score": float(np.mean(timed)),
        "score_waiting": float(np.mean(waited)),
        "loss_percent": vars(mean_interval(loss)),
        "scores": timed,
        "scores_waiting": waited,
    }


def _waiting_scores(seeds: range, *, controller: str) -> list[float]:
    """Scores of the agent whose robots wait for every action, on the robot's episodes, all of them side by side."""
    model = load_forcing_model(WEIGHTS)
    is_shooting = controller == "shooting"
    agent = MPCAgent(
        Planner(model, settings=PlannerSettings(num_candidates=16 if is_shooting else 4)),
        controller=ShootingTracker(model.dynamics, goal_radius=model.goal_radius) if is_shooting else PlannedActions(),
        replan_every=32 if is_shooting else 8,
        horizon=STEPS,
    )
    envs = gymnasium.make_vec("dfplan_envs:maze2d-large-v1", num_envs=len(seeds))
    observations, info = envs.reset(seed=list(seeds))
    agent.reset(seeds=list(seeds), goals=info["goal"])
    totals = np.zeros(len(seeds))
    for _ in range(STEPS):
        observations, rewards, *_ = envs.step(agent.act(observations))
        totals += rewards
    maze = load_maze("maze2d-large-v1")
    return [float(maze.normalize(total)) for total in totals]


class _Total:
    """Sums up episodes."""

    def __init__(self) -> None:
        self.ticks = self.missed = self.unanswered = self.late = 0
        self.longest = 0.0
        self.sources: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.p99: list[float] = []

    def add(self, report: LoopReport, finished: Message) -> None:
        self.ticks += report.ticks
        self.missed += report.missed
        self.unanswered += finished["unanswered"]
        self.late += finished["late"]
        self.longest = max(self.longest, report.seconds["max"])
        self.p99.append(report.seconds["p99"])
        self.sources.update(report.sources)
        self.faults.update(report.faults)

    def record(self) -> dict[str, Any]:
        return {
            "ticks": self.ticks,
            "missed": self.missed,
            "unanswered_by_the_robots_count": self.unanswered,
            "begun_late_by_the_robot": self.late,
            "seconds_to_action": {"p99_of_an_episode": max(self.p99), "max": self.longest},
            "sources": dict(self.sources),
            "faults": dict(self.faults),
        }


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def options(parser: argparse.ArgumentParser) -> None:
    """What is to be measured."""
    parser.add_argument("parts", nargs="+", choices=["soak", "slowed", "faults", "score", "observations"])
    parser.add_argument("--minutes", type=float, default=5.0, help="of the soak")
    parser.add_argument("--slowed-minutes", type=float, default=1.0, help="for each slowdown")
    parser.add_argument("--trials", type=int, default=10, help="kills and freezes together")
    parser.add_argument(
        "--plan-timeout", type=float, default=0.5, help="seconds, while the planner is killed or frozen"
    )
    parser.add_argument("--injections", type=int, default=10_000, help="of bad observations")
    parser.add_argument("--rates", type=float, nargs="+", default=[20.0, 50.0], help="of the score")
    parser.add_argument("--controllers", nargs="+", choices=CONTROLLERS, default=CONTROLLERS, help="of the score")


def results(arguments: argparse.Namespace) -> Named:
    """The parts that are asked for, in one record."""
    found: Record = {"weights": describe_weights(WEIGHTS, load_bundle(WEIGHTS)[1])}
    for part in arguments.parts:
        match part:
            case "soak":
                found[part] = soak(minutes=arguments.minutes)
            case "slowed":
                found[part] = slowed(minutes=arguments.slowed_minutes)
            case "faults":
                found[part] = planner_faults(trials=arguments.trials, plan_timeout=arguments.plan_timeout)
            case "observations":
                found[part] = inject_observations(injections=arguments.injections, seed=FIRST_SEED, weights=WEIGHTS)
            case "score":
                found[part] = [
                    score(episodes=arguments.episodes, rate=rate, controller=controller)
                    for controller in arguments.controllers
                    for rate in arguments.rates
                ]
        print(json.dumps({part: found[part]}, indent=1))
    yield "-".join(arguments.parts), found


BENCHMARK = Benchmark(says=__doc__, folder=Path(__file__).parent, measure=results, options=options, episodes=20)

if __name__ == "__main__":
    sys.exit(BENCHMARK.main())
