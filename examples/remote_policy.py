"""A policy in one process and the maze in another, on this machine or through a tunnel: JSON over TCP, no pickle.

    python examples/remote_policy.py serve --port 5555
    python examples/remote_policy.py drive --port 5555 --episodes 2

Where there is no dfplan on the other side, ``dfplan/realtime/wire.py`` says what a message looks like.
"""

import argparse
import math
import sys
from typing import Any

import gymnasium
import numpy as np
from drive_maze_robot import build_agent

from dfplan.cli.folders import bundled_weights
from dfplan.realtime.policy_server import PolicyClient, PolicyServer


class WaitedFor:
    """A real-time agent for callers that wait for it: every call is one step and may take as long as a plan."""

    def __init__(self) -> None:
        self.agent = build_agent(
            weights=bundled_weights() / "maze2d-large", rate=20.0, controller="shooting", period=None, plan_timeout=30.0
        )

    def reset(self, *, seed: int, goal: np.ndarray) -> None:
        """See :class:`dfplan.realtime.policy_server.ServedPolicy`."""
        self.agent.reset(seed=seed, goal=goal)

    def release(self) -> None:
        """See :class:`dfplan.realtime.policy_server.ServedPolicy`."""
        self.agent.release()

    def act(self, observation: np.ndarray) -> tuple[np.ndarray, Any]:
        """See :class:`dfplan.realtime.policy_server.ServedPolicy`."""
        return self.agent.act(observation, deadline=math.inf)


def drive(address: tuple[str, int], *, seed: int) -> float:
    """One episode of the maze with the served policy; returns its score."""
    env = gymnasium.make("dfplan_envs:maze2d-large-v1", goal="random")
    observation, info = env.reset(seed=seed)
    policy, total, truncated = PolicyClient(address, timeout=60), 0.0, False
    policy.reset(seed=seed, goal=info["goal"])
    while not truncated:
        action, _, _ = policy.act(observation)
        observation, reward, _, truncated, _ = env.step(action.astype(np.float32))
        total += float(reward)
    policy.close()
    return float(env.get_wrapper_attr("maze").normalize(total))


def main() -> int:
    """Serve until interrupted, or drive a few episodes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["serve", "drive"])
    parser.add_argument("--port", type=int, default=5555, help="on this machine only; 0 takes a free one")
    parser.add_argument("--episodes", type=int, default=1)
    arguments = parser.parse_args()
    if arguments.part == "drive":
        for seed in range(arguments.episodes):
            print(f"seed {seed}: score {drive(('127.0.0.1', arguments.port), seed=seed):.0f}")
        return 0
    policy = WaitedFor()
    server = PolicyServer(policy, port=arguments.port, answer_timeout=60.0)  # the first plan takes longest
    print(server.address[1], flush=True)  # where to connect to
    try:
        server.serve()
    except KeyboardInterrupt:
        pass  # the ordinary way to stop it
    finally:
        policy.agent.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
