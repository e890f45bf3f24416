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

    def row(self) -> dict[str, np.ndarray]:
        """The same by D4RL key."""
        row = {
            "observations": self.observation,
            "actions": self.action,
            "rewards": np.float32(self.reward),
            "terminals": np.bool_(self.terminated),
            "timeouts": np.bool_(self.truncated and not self.terminated),
            "next_observations": self.following,
        }
        if self.success is not None:
            row["infos/success"] = np.bool_(self.success)
        if self.state is not None:
            row["infos/qpos"], row["infos/qvel"] = self.state
        return {key: np.asarray(value) for key, value in row.items()}


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
    arrays: dict[str, np.ndarray] = {}
    seeds, done = np.random.SeedSequence(seed), 0
    while done < num_steps:
        for step in driver.episode(policy, seeds.spawn(1)[0]):
            row = step.row()
            if not arrays:
                arrays = {key: np.empty((num_steps, *value.shape), value.dtype) for key, value in row.items()}
            for key, values in arrays.items():
                values[done] = row[key]
            done += 1
            if done % REPORTED_EVERY == 0 or done == num_steps:
                on_step(done)
            if done == num_steps:
                break
    arrays["timeouts"][-1] = not arrays["terminals"][-1]
    return arrays
