"""The maze as a robot: a process of its own that senses and moves by the wall clock, commanded or not.

    python examples/maze_robot.py --rate 20 --port 5555

At every tick it sends what it senses and then waits for a command until the tick is over. One tick is one step of the
maze (0.01 s of simulated time), so 20 Hz shows it in slow motion, 5 times slower than life, and 50 Hz 2 times. Without
a command the last one is repeated, and after half a second of silence the force is zero.
"""

import argparse
import socket
import sys
import time
from contextlib import suppress

import gymnasium
import numpy as np

from dfplan.realtime import undisturbed
from dfplan.realtime.stream import ConnectionLostError, MessageStream
from dfplan.realtime.wire import WireError, encode

SILENCE = 0.5  # seconds after which a command is not repeated any more
LATE = 0.1  # of a period: a tick that begins so much after its time was held up by the machine


class MazeRobot:
    """Runs episodes for whoever is connected.

    Args:
        stream: to the agent.
        env: a maze2d environment.
        rate: ticks a second.
    """

    def __init__(self, stream: MessageStream, *, env: gymnasium.Env, rate: float) -> None:
        self._stream = stream
        self._env = env
        self._maze = self._env.get_wrapper_attr("maze")
        self._period = 1 / rate

    def serve(self) -> None:
        """Run an episode for every ``reset`` that comes, until the agent is gone or sends what is none."""
        with suppress(ConnectionLostError, WireError, ValueError):  # a goal that the maze refuses is a ValueError
            while True:
                message = self._stream.receive(timeout=60)
                if message is not None and message.kind == "reset":
                    self._run_episode(message["seed"], goal=message["goal"])

    def _run_episode(self, seed: int, *, goal: np.ndarray) -> None:
        options = {"goal": goal} if len(goal) else None
        observation, info = self._env.reset(seed=seed, options=options)
        steps = self._maze.max_episode_steps
        self._action, self._commanded_at, self._unanswered = np.zeros(2), -np.inf, 0
        total, late, begins = 0.0, 0, time.monotonic()
        for step in range(steps):
            is_late = time.monotonic() > begins + (step + LATE) * self._period
            late += is_late
            sensed = encode("sensed", step=step, stamp=time.monotonic(), observation=observation, goal=info["goal"])
            self._stream.send(sensed, timeout=self._period)
            is_answered = self._listen(step, until=begins + (step + 1) * self._period)
            # Who asks late may have ended before an answer can come: that is the robot's fault, and counted as late.
            self._unanswered += not (is_answered or is_late)
            is_silent = time.monotonic() - self._commanded_at > SILENCE
            observation, reward, *_ = self._env.step(np.zeros(2) if is_silent else self._action)
            total += float(reward)
        score = float(self._maze.normalize(total))
        finished = encode("finished", steps=steps, unanswered=self._unanswered, late=late, score=score)
        self._stream.send(finished, timeout=1)

    def _listen(self, step: int, *, until: float) -> bool:
        """Take commands until a tick is over; whether one of them was for it."""
        answered = False
        while (remaining := until - time.monotonic()) > 0:
            with suppress(WireError):
                message = self._stream.receive(timeout=remaining)
                if message is not None and message.kind == "command" and message["action"].shape == (2,):
                    self._action, self._commanded_at = np.clip(message["action"], -1, 1), time.monotonic()
                    answered |= message["step"] == step
        return answered


def main() -> int:
    """Serve agents one after the other, or the first alone."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--env", default="maze2d-large-v1")
    parser.add_argument("--goal", choices=["fixed", "random"], default="fixed")
    parser.add_argument("--rate", type=float, default=20.0, help="ticks a second")
    parser.add_argument("--port", type=int, default=0, help="on this machine only; 0 takes a free one")
    parser.add_argument("--once", action="store_true", help="leave with the first agent")
    arguments = parser.parse_args()
    # Before anyone is told where to connect: a simulator takes seconds to load.
    env = gymnasium.make(f"dfplan_envs:{arguments.env}", goal=arguments.goal, disable_env_checker=True)
    with socket.create_server(("127.0.0.1", arguments.port)) as server:
        print(server.getsockname()[1], flush=True)  # where to connect to
        while True:
            connection, _ = server.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            stream = MessageStream(connection)
            robot = MazeRobot(stream, env=env, rate=arguments.rate)
            with undisturbed():
                robot.serve()
            stream.close()
            if arguments.once:
                return 0


if __name__ == "__main__":
    sys.exit(main())
