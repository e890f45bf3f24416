"""Drives environments by policies, and writes everything down that D4RL does."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import gymnasium
import numpy as np

from dfplan.errors import UserError

REPORTED_EVERY = 500  # steps
MOST_FAILURES = 20  # episodes one after the other


class Policy(Protocol):
    """Whoever drives."""

    def act(self, observation: np.ndarray, generator: np.random.Generator | None) -> np.ndarray:
        """An action ``(action_dim,)`` for an observation ``(observation_dim,)``; without a generator nothing random."""
        ...


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

    def episode(
        self,
        policy: Policy,
        seed: np.random.SeedSequence,
        *,
        sampled: bool = True,
        options: Mapping[str, Any] | None = None,
    ) -> Iterator[Step]:
        """The steps of one episode, to its end; ``options`` are of its reset."""
        generator = np.random.default_rng(seed)
        began = None if options is None else dict(options)
        shown, _ = self.env.reset(seed=int(generator.integers(2**31)), options=began)
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


def drive_successes(
    driver: Driver,
    policies: Sequence[Policy],
    *,
    options: Sequence[Mapping[str, Any]],
    num_episodes: int | None,
    num_steps: int | None,
    seed: int,
    on_progress: Callable[[int, int], None],
) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """Whole episodes that end in success; one that does not is left out, and another driven by the same.

    Args:
        driver: of the environment.
        policies: they take turns.
        options: of resets, each for as many episodes as there are policies before the next.
        num_episodes: that are wanted, or
        num_steps: rows that are wanted at least.
        seed: everything random follows from it.
        on_progress: called with what there is, and what is wanted.

    Returns:
        Arrays by D4RL key, and the numbers of episodes and of failures.

    Raises:
        UserError: one policy fails again and again.
    """
    rows: list[dict[str, np.ndarray]] = []
    seeds, failed, number, wanted = np.random.SeedSequence(seed), 0, 0, num_episodes or num_steps or 1
    while (done := number if num_episodes else len(rows)) < wanted:
        on_progress(done, wanted)
        policy, option = number % len(policies), options[number // len(policies) % len(options)]
        for attempt in range(MOST_FAILURES):
            steps = list(driver.episode(policies[policy], seeds.spawn(1)[0], options=option))
            if steps[-1].success:
                failed += attempt
                break
        else:
            raise UserError(f"{MOST_FAILURES} episodes failed one after the other; give less noise=")
        rows += [step.row() | {"infos/policy": np.array(policy, np.int32)} for step in steps]
        number += 1
    on_progress(wanted, wanted)
    arrays = {key: np.stack([row[key] for row in rows]) for key in rows[0]}
    return arrays, {"episodes": number, "failed": failed}
