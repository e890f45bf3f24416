"""Data of mixed quality: hands that know their robot, each episode driven by one whose weights are disturbed.

Noise on the actions of one good hand would be averaged away by regression, so that whoever clones it looks like an
expert; a hand with wrong weights is wrong again and again in the same places.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dfplan.domains.gymnasium import GymnasiumDomain
from dfplan.domains.scripted import collect as scripted
from dfplan.domains.scripted.collect import Script
from dfplan.types import Trajectories


@dataclass(frozen=True)
class Robot:
    """A robot, who drives it by hand, and how much data is made of it.

    Attributes:
        env_id: Gymnasium id.
        hand: takes weights, drives by them.
        weights: of the expert.
        largest_disturbance: the weights of an episode are the expert's times ``1 + disturbance * normal``, and the
            noise on its actions is up to ``disturbance`` of half their range; ``disturbance`` is drawn up to here.
        num_episodes: of the data set.
    """

    env_id: str
    hand: Callable[[np.ndarray], Script]
    weights: tuple[float, ...]
    largest_disturbance: float
    num_episodes: int


def swing_up(weights: np.ndarray) -> Script:
    """Pendulum: pumps energy, and near the top holds it up."""
    pump, turn, brake = weights

    def act(observation: np.ndarray, goal: np.ndarray) -> np.ndarray:
        cosine, sine, speed = observation
        if cosine > 0.8:
            return np.array([-turn * np.arctan2(sine, cosine) - brake * speed])
        energy = speed**2 / 6 + 5 * cosine - 5
        return np.array([-pump * np.sign(speed * energy)])

    return act


def pull_to_target(weights: np.ndarray) -> Script:
    """Reacher: the joints are turned as a spring from the fingertip to the target would (Jacobian transposed)."""
    stiffness, damping = weights[:2], weights[2:]
    lengths = np.array([0.1, 0.11])

    def act(observation: np.ndarray, goal: np.ndarray) -> np.ndarray:
        first, both = np.arctan2(observation[2:4], observation[:2]).cumsum()
        outer = lengths[1] * np.array([-np.sin(both), np.cos(both)])
        inner = lengths[0] * np.array([-np.sin(first), np.cos(first)])
        jacobian = np.stack([inner + outer, outer])
        return -stiffness * (jacobian @ observation[8:10]) - damping * observation[6:8]

    return act


def move_to_goal(weights: np.ndarray) -> Script:
    """FetchReach: the gripper, of which the first numbers tell where it is, is moved by a share of what is missing."""

    def act(observation: np.ndarray, goal: np.ndarray) -> np.ndarray:
        return np.append(weights * (goal - observation[:3]), 0.0)

    return act


ROBOTS = {
    "pendulum": Robot("Pendulum-v1", swing_up, (2.0, 12.0, 3.0), 2.0, 400),
    "reacher": Robot("Reacher-v5", pull_to_target, (25.0, 25.0, 0.1, 0.1), 1.5, 1000),
    "fetch-reach": Robot("FetchReach-v4", move_to_goal, (10.0, 10.0, 10.0), 0.5, 400),
}


def collect(robot: Robot, *, num_episodes: int, seed: int) -> Trajectories:
    """Episodes by disturbed hands."""

    def draw(generator: np.random.Generator) -> tuple[Script, float]:
        weights, disturbance = np.array(robot.weights), generator.uniform(0, robot.largest_disturbance)
        hand = robot.hand(weights * (1 + disturbance * generator.normal(size=weights.shape)))
        return hand, disturbance * generator.random()

    source = f"{robot.env_id} by disturbed hands, seed {seed}"
    return scripted.collect(GymnasiumDomain(robot.env_id), draw, num_episodes=num_episodes, seed=seed, source=source)


def returns_of(data: Trajectories) -> np.ndarray:
    """Sum of the rewards of every episode, ``(episodes,)``."""
    assert data.rewards is not None
    return np.add.reduceat(data.rewards.astype(np.float64), data.starts[:-1])
