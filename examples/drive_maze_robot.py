"""Drives the maze robot of ``maze_robot.py``, which runs in another process, by the wall clock.

python examples/drive_maze_robot.py --rate 20 --episodes 2
python examples/drive_maze_robot.py --rate 50 --controller actions
python examples/drive_maze_robot.py --exported FOLDER       (a planner without torch: see onnx_planner.py)
"""

import argparse
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from dfplan.agent import ShootingTracker
from dfplan.cli.folders import bundled_weights
from dfplan.domains.former import present_choice
from dfplan.models import load_forcing_model
from dfplan.planner.constraints import Constraints
from dfplan.planner.obligations import Obligations
from dfplan.realtime import (
    ActInfo,
    ActionQueue,
    LoopReport,
    ObservationGate,
    PathFollower,
    Patience,
    PlannerProcess,
    PlanningSupervisor,
    RealtimeAgent,
    run_loop,
    undisturbed,
)
from dfplan.realtime.motion import integrator_motion
from dfplan.realtime.process import planner_command
from dfplan.realtime.stream import MessageStream
from dfplan.realtime.wire import Message, encode

NOTHING = Constraints()
STEPS = 800  # of an episode of maze2d-large
# In periods. The loop's ticks lie behind the robot's, and its actions are wanted before the robot's tick is over; an
# observation that is late is waited for, because an answer to the one before is none.
AFTER_SENSING = 0.1
ANSWER_BY = 0.8
LONGEST_WAIT = 0.3


class RobotLink:
    """The robot in the other process, as :func:`dfplan.realtime.run_loop` wants it."""

    def __init__(self, port: int, *, rate: float) -> None:
        connection = socket.create_connection(("127.0.0.1", port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stream = MessageStream(connection)
        self._period = 1 / rate
        self._newest: dict[str, Message] = {}  # by kind
        self._answered = -1

    def reset(self, *, seed: int) -> np.ndarray:
        """Begin an episode; returns its goal."""
        self._stream.send(encode("reset", seed=seed, goal=np.zeros(0)), timeout=1)
        self._newest, self._answered = {}, -1
        return self._wait_for("sensed")["goal"]

    def wait_for_tick(self) -> None:
        """Until shortly after a tick of the robot has begun: the first, if there is time enough left to answer it."""
        spare = AFTER_SENSING * self._period
        late = time.monotonic() - self._newest["sensed"]["stamp"] - spare
        if not 0 < late < spare:
            time.sleep(-late % self._period)

    def observe(self) -> tuple[np.ndarray, float]:
        """The newest observation and when it was measured: both processes read the same clock."""
        is_answered = self._newest["sensed"]["step"] == self._answered
        message = self._stream.receive(timeout=LONGEST_WAIT * self._period if is_answered else 0.0)
        while message is not None:
            self._newest[message.kind] = message
            message = self._stream.receive()
        return self._newest["sensed"]["observation"], self._newest["sensed"]["stamp"]

    def send(self, action: np.ndarray) -> None:
        """Answer the newest observation."""
        self._answered = self._newest["sensed"]["step"]
        self._stream.send(encode("command", step=self._answered, action=action), timeout=0.001)

    def finish(self) -> Message:
        """What the robot says at the end of an episode."""
        return self._wait_for("finished")

    def close(self) -> None:
        """Let the robot go."""
        self._stream.close()

    def _wait_for(self, kind: str) -> Message:
        while kind not in self._newest:
            message = self._stream.receive(timeout=5)
            if message is None:
                raise TimeoutError(f"the robot has said nothing for 5 s; {kind} was expected")
            self._newest[message.kind] = message
        return self._newest[kind]


@contextmanager
def maze_robot(*, rate: float, goal: str = "fixed", env_id: str = "maze2d-large-v1"):
    """A robot process of one's own, and the link to it."""
    program = [sys.executable, str(Path(__file__).with_name("maze_robot.py"))]
    options = [f"--rate={rate}", f"--env={env_id}", f"--goal={goal}", "--once"]
    process = subprocess.Popen([*program, *options], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    link = RobotLink(int(process.stdout.readline()), rate=rate)
    try:
        yield link
    finally:
        link.close()
        process.wait(timeout=10)
        process.stdout.close()


def build_agent(
    *,
    weights: Path,
    rate: float,
    controller: str,
    command: list[str] | None = None,
    constraints: Constraints = NOTHING,
    **options: Any,
) -> RealtimeAgent:
    """A real-time agent for a maze, its planner ready.

    Args:
        weights: folder of a bundle.
        rate: ticks a second.
        controller: ``shooting`` (drives along the planned path) or ``actions`` (plays the planned actions).
        command: of the planner process; None is dfplan's own.
        constraints: what plans and driving must keep; told to dfplan's own planner alone.
        options: of the supervisor (``plan_timeout``), the agent (``period``), or its patience.
    """
    controller = present_choice("controller", controller)
    model = load_forcing_model(weights)
    motion = integrator_motion(model.dynamics)
    settings = {"num_candidates": 16} if controller == "shooting" else {"num_candidates": 4}
    planning = PlanningSupervisor(
        PlannerProcess(command or planner_command(weights, horizon=STEPS, settings=settings, constraints=constraints)),
        action_low=-np.ones(2),
        action_high=np.ones(2),
        observation_dim=4,
        clock=time.monotonic,
        # Long: the queue bridges a slow plan, but a planner that is taken for hung is gone until a new one has started.
        plan_timeout=options.pop("plan_timeout", 3.0),
    )
    planning.start()
    reach = model.reach(margin=0.1)
    gate = ObservationGate(
        low=reach.observations.low,
        high=reach.observations.high,
        max_age=4 / rate,
        motion=motion,
    )
    driver = ShootingTracker(model.dynamics, goal_radius=model.goal_radius, constraints=constraints)
    tracker = PathFollower(driver, motion=motion)
    return RealtimeAgent(
        planning,
        gate=gate,
        goal_bounds=reach.goals,
        follower=tracker if controller == "shooting" else ActionQueue(),
        replan_every=32 if controller == "shooting" else 8,
        period=options.pop("period", 1 / rate),
        obligations=Obligations(constraints, radius=model.goal_radius, seconds_per_step=model.dynamics.step),
        patience=Patience(safe_action=brake, **options),
    )


def brake(seen: np.ndarray | None) -> np.ndarray:
    """The action of a ball in trouble: against its speed."""
    return np.zeros(2) if seen is None else np.clip(-seen[2:], -1, 1)


def drive_episode(
    link: RobotLink,
    agent: RealtimeAgent,
    *,
    rate: float,
    seed: int,
    on_tick: Callable[[ActInfo], None] | None = None,
) -> tuple[LoopReport, Message]:
    """One episode; how the loop kept its rate, and what the robot says of it."""
    goal = link.reset(seed=seed)
    agent.reset(seed=seed, goal=goal)
    link.wait_for_tick()
    report = run_loop(link, agent, rate=rate, num_ticks=STEPS, answer_by=ANSWER_BY, on_tick=on_tick)
    return report, link.finish()


def main() -> int:
    """Drive a few episodes and say how they went."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=20.0, help="ticks a second")
    parser.add_argument("--episodes", type=int, default=1)
    parser.add_argument("--controller", choices=["shooting", "actions"], default="shooting")
    parser.add_argument("--exported", type=Path, help="what dfplan export wrote, to plan with instead; for shooting")
    arguments = parser.parse_args()
    command = None
    if arguments.exported is not None:
        program = [sys.executable, str(Path(__file__).with_name("onnx_planner.py"))]
        command = [*program, f"--exported={arguments.exported}", f"--horizon={STEPS}"]
    weights = bundled_weights() / "maze2d-large"
    agent = build_agent(weights=weights, rate=arguments.rate, controller=arguments.controller, command=command)
    with maze_robot(rate=arguments.rate) as link, undisturbed() as goes_first:
        if not goes_first:
            print("the system grants no real-time priority; on a busy machine ticks may be missed")
        for seed in range(1000, 1000 + arguments.episodes):
            report, finished = drive_episode(link, agent, rate=arguments.rate, seed=seed)
            quickest, slowest = (1000 * report.seconds[name] for name in ("p50", "max"))
            print(
                f"seed {seed}: score {finished['score']:.0f}, missed ticks {report.missed}, unanswered by the robot "
                f"{finished['unanswered']}, from tick to action {quickest:.1f} ms, at most {slowest:.1f} ms; "
                f"actions from {report.sources}, faults {report.faults}"
            )
    agent.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
