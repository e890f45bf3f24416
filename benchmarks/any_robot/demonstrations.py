"""Data of mixed quality: hands that know their robot, each episode driven by one whose weights are disturbed.

Noise on the actions of one good hand would be averaged away by regression, so that whoever clones it looks like an
expert; a hand with wrong weights is wrong again and again in the same places.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np

from dfplan.domains.gymnasium import GymnasiumDomain
from dfplan.types import PlanEvent, Trajectories

Hand = Callable[[np.ndarray, np.ndarray], np.ndarray]  # from observation and goal, as a domain has them, to an action
NOISE_KEPT = 0.8  # of a step's noise in the next: a hand errs in one direction for some steps


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
    hand: Callable[[np.ndarray], Hand]
    weights: tuple[float, ...]
    largest_disturbance: float
    num_episodes: int


def swing_up(weights: np.ndarray) -> Hand:
    """Pendulum: pumps energy, and near the top holds it up."""
    pump, turn, brake = weights

    def act(observation: np.ndarray, goal: np.ndarray) -> np.ndarray:
        cosine, sine, speed = observation
        if cosine > 0.8:
            return np.array([-turn * np.arctan2(sine, cosine) - brake * speed])
        energy = speed**2 / 6 + 5 * cosine - 5
        return np.array([-pump * np.sign(speed * energy)])

    return act


def pull_to_target(weights: np.ndarray) -> Hand:
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


def move_to_goal(weights: np.ndarray) -> Hand:
    """FetchReach: the gripper, of which the first numbers tell where it is, is moved by a share of what is missing."""

    def act(observation: np.ndarray, goal: np.ndarray) -> np.ndarray:
        return np.append(weights * (goal - observation[:3]), 0.0)

    return act


ROBOTS = {
    "pendulum": Robot("Pendulum-v1", swing_up, (2.0, 12.0, 3.0), 2.0, 400),
    "reacher": Robot("Reacher-v5", pull_to_target, (25.0, 25.0, 0.1, 0.1), 1.5, 1000),
    "fetch-reach": Robot("FetchReach-v4", move_to_goal, (10.0, 10.0, 10.0), 0.5, 400),
}


class HandAgent:
    """The expert as an agent that can be evaluated like any other."""

    def __init__(self, robot: Robot) -> None:
        self.hand = robot.hand(np.array(robot.weights))
        self.domain = GymnasiumDomain(robot.env_id)
        self.on_plan: Callable[[PlanEvent], None] | None = None

    def reset(self, *, seeds: Sequence[int], goals: np.ndarray) -> None:
        """Begin new episodes."""
        self.goals = goals

    def act(self, observations: np.ndarray) -> np.ndarray:
        """Actions within their bounds."""
        actions = [self.hand(*each) for each in zip(observations, self.goals, strict=True)]
        bounds = self.domain.spec.action_bounds
        return np.clip(actions, bounds.low, bounds.high).astype(np.float32)


def collect(robot: Robot, *, num_episodes: int, seed: int) -> Trajectories:
    """Drive episodes by disturbed hands and write down everything."""
    domain, generator = GymnasiumDomain(robot.env_id), np.random.default_rng(seed)
    env, rows, starts = domain.make(), {}, [0]
    for _ in range(num_episodes):
        drive_episode(env, robot, domain=domain, generator=generator, rows=rows)
        starts.append(len(rows["actions"]))
    env.close()
    arrays = {name: np.array(values) for name, values in rows.items()}
    return Trajectories(
        **{name: each.astype(bool if each.dtype == bool else np.float32) for name, each in arrays.items()},
        starts=np.array(starts),
        segment_ends=np.zeros(starts[-1], bool),
        source=f"{robot.env_id} by disturbed hands, seed {seed}",
        action_bounds=domain.spec.action_bounds,
        step_seconds=domain.spec.step_seconds,
    )


def drive_episode(
    env: gymnasium.Env,
    robot: Robot,
    *,
    domain: GymnasiumDomain,
    generator: np.random.Generator,
    rows: dict[str, list[Any]],
) -> None:
    """Add the rows of an episode; the last one holds what it ended in, and no action."""
    weights, bounds = np.array(robot.weights), domain.spec.action_bounds
    disturbance = generator.uniform(0, robot.largest_disturbance)
    hand = robot.hand(weights * (1 + disturbance * generator.normal(size=weights.shape)))
    largest = disturbance * generator.random() * (bounds.high - bounds.low) / 2
    noise = np.zeros_like(largest)
    observed, _ = env.reset(seed=int(generator.integers(2**31)))
    over = False
    while not over:
        noise = NOISE_KEPT * noise + np.sqrt(1 - NOISE_KEPT**2) * generator.normal(size=noise.shape)
        action = hand(domain.observation(observed), domain.goal(observed)) + largest * noise
        action = np.clip(action, bounds.low, bounds.high).astype(np.float32)
        before = observed
        observed, reward, terminated, truncated, _ = env.step(action)
        over = terminated or truncated
        add_row(rows, before, actions=action, rewards=reward, terminations=terminated, truncations=truncated)
    add_row(rows, observed, actions=np.zeros_like(action), rewards=0.0, terminations=False, truncations=False)


def add_row(rows: dict[str, list[Any]], observed: Any, **outcome: Any) -> None:
    """Write down what was shown, and what was done and came of it."""
    shown = {"observations": observed}
    if isinstance(observed, dict):
        names = {"observations": "observation", "goals": "desired_goal", "achieved_goals": "achieved_goal"}
        shown = {ours: observed[theirs] for ours, theirs in names.items()}
    for name, value in {**shown, **outcome}.items():
        rows.setdefault(name, []).append(value)


def returns_of(data: Trajectories) -> np.ndarray:
    """Sum of the rewards of every episode, ``(episodes,)``."""
    assert data.rewards is not None
    return np.add.reduceat(data.rewards.astype(np.float64), data.starts[:-1])
