"""The robot of `examples/maze_robot.py` blames its agent for what the agent left out, and not for its own delays."""

import importlib.util
import socket
import threading
import time
from dataclasses import replace
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from dfplan.realtime.stream import MessageStream
from dfplan.realtime.wire import encode

STEPS, HELD_UP, SILENT = 40, 5, range(30, 36)
RATE = 20.0


class HeldUp(gymnasium.Wrapper):
    """A maze of few steps, one of which takes three ticks."""

    def __init__(self, env):
        super().__init__(env)
        self.maze = replace(env.get_wrapper_attr("maze"), max_episode_steps=STEPS)
        self._step = 0

    def step(self, action):
        time.sleep(3 / RATE if self._step == HELD_UP else 0)
        self._step += 1
        return self.env.step(action)


def _robot(connection):
    path = Path(__file__).parents[2] / "examples" / "maze_robot.py"
    spec = importlib.util.spec_from_file_location("maze_robot", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    env = HeldUp(gymnasium.make("dfplan_envs:maze2d-umaze-v1", disable_env_checker=True))
    return module.MazeRobot(MessageStream(connection), env=env, rate=RATE)


@pytest.mark.slow  # two seconds by the wall clock
def test_ticks_that_the_robot_began_late_are_not_unanswered():
    near, far = socket.socketpair()
    thread = threading.Thread(target=_robot(far).serve, daemon=True)
    thread.start()
    stream = MessageStream(near)
    stream.send(encode("reset", seed=0, goal=np.zeros(0)), timeout=1)
    while (message := stream.receive(timeout=5)).kind != "finished":
        if message["step"] not in SILENT:
            stream.send(encode("command", step=message["step"], action=np.zeros(2)), timeout=1)
    stream.close()
    thread.join(timeout=5)
    assert message["late"] >= 2  # those after the step that took three ticks
    # What was left out is counted, but for ticks that a busy machine delayed; what came too late for the robot is not.
    assert len(SILENT) - (message["late"] - 2) <= message["unanswered"] <= len(SILENT)
