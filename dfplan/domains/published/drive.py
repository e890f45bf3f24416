"""Drives environments by policies, and writes everything down that D4RL does."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np

from dfplan.domains.published.policy import Policy

REPORTED_EVERY = 500  # steps


@dataclass(frozen=True)
class Step:
    """What happened in one step: a row of a file. ``success`` is None where the environment does not say."""

    observation: np.ndarray
    action: np.ndarray
    reward: float
    following: np.ndarray
    terminated: bool
    truncated: bool
    success: bool | None
    state: tuple[np.ndarray, np.ndarray] | None


class Driver:
    """Drives one environment.

    Args:
        env: that of the policies.
        observe: what a policy sees, ``(observation_dim,)`` float32, of what the environment shows.
    """

    def __init__(self, env: gymnasium.Env, observe: Callable[[Any], np.ndarray]) -> None:
        self.env, self._observe = env, observe
        self._low, self._high = env.action_space.low, env.action_space.high  # type: ignore[attr-defined]
        self._physics: Any = getattr(env.unwrapped, "data", None)  # MuJoCo's; others have none

    def episode(self, policy: Policy, seed: np.random.SeedSequence, *, sampled: bool = True) -> Iterator[Step]:
        """The steps of one episode, to its end."""
        generator = np.random.default_rng(seed)
        shown, _ = self.env.reset(seed=int(generator.integers(2**31)))
        observation, over = self._observe(shown), False
        while not over:
            action = policy.act(observation, generator if sampled else None)
            action = np.clip(action, self._low, self._high).astype(np.float32)
            state = self._state()
            shown, reward, terminated, truncated, info = self.env.step(action)
            following, success = self._observe(shown), info.get("success")
            told = None if success is None else bool(success)
            yield Step(observation, action, float(reward), following, terminated, truncated, told, state)
            observation, over = following, terminated or truncated

    def _state(self) -> tuple[np.ndarray, np.ndarray] | None:
        found = self._physics
        return None if found is None else (found.qpos.astype(np.float32), found.qvel.astype(np.float32))


def drive(
    driver: Driver, policy: Policy, *, num_steps: int, seed: int, on_step: Callable[[int], None]
) -> dict[str, np.ndarray]:
    """Episode after episode, the last one cut off (a timeout) where there are steps enough.

    Args:
        driver: of the environment.
        policy: its actions are sampled.
        num_steps: rows to record.
        seed: everything random follows from it.
        on_step: called with the number of rows so far, now and then.

    Returns:
        Arrays by D4RL key, ``(num_steps, ...)``; ``infos/success`` and the true state where there are any.
    """
    steps: list[Step] = []
    seeds = np.random.SeedSequence(seed)
    while len(steps) < num_steps:
        for step in driver.episode(policy, seeds.spawn(1)[0]):
            steps.append(step)
            if len(steps) % REPORTED_EVERY == 0 or len(steps) == num_steps:
                on_step(len(steps))
            if len(steps) == num_steps:
                break
    arrays: dict[str, np.ndarray] = {
        "observations": np.stack([each.observation for each in steps]),
        "actions": np.stack([each.action for each in steps]),
        "rewards": np.array([each.reward for each in steps], np.float32),
        "terminals": np.array([each.terminated for each in steps]),
        "timeouts": np.array([each.truncated and not each.terminated for each in steps]),
        "next_observations": np.stack([each.following for each in steps]),
    }
    arrays["timeouts"][-1] = not arrays["terminals"][-1]
    if all(each.success is not None for each in steps):
        arrays["infos/success"] = np.array([each.success for each in steps], bool)
    states = [each.state for each in steps if each.state is not None]
    if states:
        arrays["infos/qpos"], arrays["infos/qvel"] = (np.stack(each) for each in zip(*states, strict=True))
    return arrays
