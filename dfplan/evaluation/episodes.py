"""Rolls an agent out in any environment of Gymnasium, on episodes that depend only on (seed, episode)."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import gymnasium
import numpy as np

from dfplan.errors import UserError
from dfplan.evaluation.metrics import mean_interval, wilson_interval
from dfplan.evaluation.report import circumstances
from dfplan.evaluation.rollout import Agent
from dfplan.types import PlanEvent


class Environments(Protocol):
    """Makes environments and says what of their observations an agent sees: see :class:`dfplan.domain.Domain`."""

    env_id: str

    def make(self) -> gymnasium.Env:
        """A new environment."""
        ...

    def observation(self, observed: Any) -> np.ndarray:
        """What an agent plans from, ``(observation_dim,)``."""
        ...

    def goal(self, observed: Any) -> np.ndarray:
        """What it is to reach, ``(goal_dim,)``."""
        ...


@dataclass(frozen=True, repr=False)
class Episodes:
    """What was measured.

    Attributes:
        env_id: Gymnasium id.
        seed: what the episodes were derived from.
        rewards: an array ``(steps,)`` an episode.
        observations: an array ``(steps + 1, observation_dim)`` an episode.
        actions: an array ``(steps, action_dim)`` an episode.
        goals: an array ``(steps + 1, goal_dim)`` an episode: what was to be reached after each observation.
        terminated: ``(episodes,)`` bool, whether the environment ended each for good rather than cut it off.
        success: ``(episodes,)`` bool, whether the environment called the last step of each a success; None where it
            never says.
        plan_seconds: ``(plans,)`` wall seconds of each plan: those of its batch divided by the plans in the batch.
        seconds: wall time of the whole evaluation.
    """

    env_id: str
    seed: int
    rewards: list[np.ndarray]
    observations: list[np.ndarray]
    actions: list[np.ndarray]
    goals: list[np.ndarray]
    terminated: np.ndarray
    success: np.ndarray | None
    plan_seconds: np.ndarray
    seconds: float

    @property
    def returns(self) -> np.ndarray:
        """Sum of the rewards of each episode, ``(episodes,)``."""
        return np.array([rewards.sum() for rewards in self.rewards])

    def record(self, **facts: Any) -> dict[str, Any]:
        """One JSON-ready record, with ``facts`` of what was evaluated."""
        lengths = np.array([len(rewards) for rewards in self.rewards], dtype=float)
        metrics = {"return": asdict(mean_interval(self.returns)), "steps": asdict(mean_interval(lengths))}
        if self.success is not None:
            metrics["success_rate"] = asdict(wilson_interval(self.success))
        p50, p95 = np.quantile(self.plan_seconds, [0.5, 0.95]) if len(self.plan_seconds) else (None, None)
        return {
            "env_id": self.env_id,
            "seed": self.seed,
            "n_episodes": len(self.rewards),
            "metrics": metrics,
            "interval": "95 %: percentile bootstrap over episodes; Wilson for success_rate",
            "plan_seconds": {"p50": p50, "p95": p95, "plans": len(self.plan_seconds)},
            "wall_seconds": round(self.seconds, 3),
            **circumstances(),
            **facts,
            "episodes": [
                {"return": float(total), "steps": int(steps)}
                | ({} if self.success is None else {"success": bool(self.success[episode])})
                for episode, (total, steps) in enumerate(zip(self.returns, lengths, strict=True))
            ],
        }


def evaluate_episodes(
    agent: Agent,
    environments: Environments,
    *,
    num_episodes: int,
    num_envs: int,
    seed: int,
    on_progress: Callable[[int, int], None] | None = None,
) -> Episodes:
    """Roll an agent out, ``num_envs`` episodes side by side.

    Args:
        agent: see :class:`~dfplan.evaluation.rollout.Agent`.
        environments: which.
        num_episodes: at least 1.
        num_envs: at least 1; speed depends on it, results do not.
        seed: a non-negative integer.
        on_progress: called as ``on_progress(episodes_done, num_episodes)``.

    Raises:
        UserError: the agent answers with actions of another shape than the environment takes.
    """
    began, seconds, before = time.perf_counter(), [], agent.on_plan

    def note(event: PlanEvent) -> None:
        seconds.extend([event.seconds / len(event.indices)] * len(event.indices))
        if before is not None:
            before(event)

    agent.on_plan = note
    found: list[_Episode] = []
    try:
        for first in range(0, num_episodes, num_envs):
            numbers = range(first, min(first + num_envs, num_episodes))
            found += _roll_out(agent, environments, numbers=numbers, seed=seed)
            if on_progress is not None:
                on_progress(len(found), num_episodes)
    finally:
        agent.on_plan = before
    told = [episode.success for episode in found]
    return Episodes(
        env_id=environments.env_id,
        seed=seed,
        rewards=[np.array(episode.rewards) for episode in found],
        observations=[np.stack(episode.observations) for episode in found],
        actions=[np.stack(episode.actions) for episode in found],
        goals=[np.stack(episode.goals) for episode in found],
        terminated=np.array([episode.terminated for episode in found]),
        success=np.array(told, dtype=bool) if all(each is not None for each in told) else None,
        plan_seconds=np.array(seconds),
        seconds=time.perf_counter() - began,
    )


@dataclass
class _Episode:
    """One that is under way."""

    env: gymnasium.Env
    observations: list[np.ndarray]
    goals: list[np.ndarray]
    actions: list[np.ndarray] = field(default_factory=list)
    rewards: list[float] = field(default_factory=list)
    over: bool = False
    terminated: bool = False
    success: bool | None = None

    def step(self, action: np.ndarray, environments: Environments) -> None:
        if self.over:
            return  # the others go on
        observed, reward, self.terminated, truncated, info = self.env.step(action)
        self.observations.append(environments.observation(observed))
        self.goals.append(environments.goal(observed))
        self.actions.append(action.reshape(-1))
        self.rewards.append(float(reward))
        self.over = self.terminated or truncated
        told = info.get("is_success", info.get("success"))
        self.success = None if told is None else bool(told)


def _roll_out(agent: Agent, environments: Environments, *, numbers: Sequence[int], seed: int) -> list[_Episode]:
    """Episodes of the given numbers, in lockstep until the last is over."""
    seeds = [[int(word) for word in np.random.SeedSequence([seed, number]).generate_state(2)] for number in numbers]
    envs = [environments.make() for _ in numbers]
    try:
        shown = [env.reset(seed=own)[0] for env, (own, _) in zip(envs, seeds, strict=True)]
        shape = envs[0].action_space.shape or ()
        episodes = [
            _Episode(env, [environments.observation(each)], [environments.goal(each)])
            for env, each in zip(envs, shown, strict=True)
        ]
        agent.reset(seeds=[own for _, own in seeds], goals=np.stack([episode.goals[0] for episode in episodes]))
        while not all(episode.over for episode in episodes):
            actions = agent.act(np.stack([episode.observations[-1] for episode in episodes]))
            if actions.shape != (len(envs), int(np.prod(shape))):
                raise UserError(f"the agent answers with actions of shape {actions.shape[1:]}, not {shape}")
            for episode, action in zip(episodes, actions, strict=True):
                episode.step(action.reshape(shape), environments)
        return episodes
    finally:
        for env in envs:
            env.close()
