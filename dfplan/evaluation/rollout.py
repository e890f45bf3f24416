"""Rolls agents out on episodes that depend only on (seed, episode), never on how many run side by side.

Knows agents by their contract (`Agent`), and environments by the protocol that a domain evaluates by.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from dfplan.errors import UserError
from dfplan.evaluation.plan_recorder import PlanRecorder
from dfplan.protocol import EvaluationProtocol, Running, Stepped
from dfplan.types import PlanEvent


class Agent(Protocol):
    """Anything that acts for a batch of environments; how it decides is its own affair."""

    on_plan: Callable[[PlanEvent], None] | None

    def reset(self, *, seeds: Sequence[int], goals: np.ndarray | None) -> None:
        """Begin new episodes, one a seed, with goals ``(batch, …)``, or None; row k may depend on seed k alone."""
        ...

    def act(self, observations: np.ndarray) -> np.ndarray:
        """Map observations ``(batch, …)``, as the environment gives them, to actions ``(batch, action_dim)``."""
        ...


@dataclass(frozen=True, repr=False)
class Rollouts:
    """Everything measured in one evaluation; what one step or episode says, a protocol knows.

    Attributes:
        env_id: Gymnasium id.
        seed: what the episodes were derived from.
        states: an array ``(steps + 1, n)`` an episode, the start included; what is kept of each observation.
        actions: an array ``(steps, action_dim)`` an episode, float32.
        rewards: an array ``(steps,)`` an episode, paid for the state after each step.
        success: an array ``(steps,)`` bool an episode, whether it is a success after each step; None where nobody says.
        goals: an array ``(steps + 1, goal_dim)`` an episode: what was to be reached after each observation.
        terminated: ``(episodes,)`` bool, whether the environment ended each for good rather than cut it off.
        plans: what was planned, and what it took.
        num_envs: how many environments ran side by side.
        seconds: wall time of the whole evaluation.
        outside_data: observations so far outside of the data that they were planned from as from its edge.
    """

    env_id: str
    seed: int
    states: list[np.ndarray]
    actions: list[np.ndarray]
    rewards: list[np.ndarray]
    success: list[np.ndarray] | None
    goals: list[np.ndarray]
    terminated: np.ndarray
    plans: PlanRecorder
    num_envs: int
    seconds: float
    outside_data: int = 0

    @property
    def returns(self) -> np.ndarray:
        """Sum of the rewards of each episode, ``(episodes,)``."""
        return np.array([rewards.sum(dtype=np.float64) for rewards in self.rewards])

    def __len__(self) -> int:
        return len(self.rewards)

    def __repr__(self) -> str:
        return f"Rollouts({self.env_id}, episodes={len(self)}, steps={sum(map(len, self.rewards))})"


def evaluate_agent(agent: Agent, protocol: EvaluationProtocol, **how: Any) -> Rollouts:
    """Roll one agent out; see :func:`evaluate_agents`."""
    return evaluate_agents({"": agent}, protocol, **how)[""]


def evaluate_agents(
    agents: Mapping[str, Agent],
    protocol: EvaluationProtocol,
    *,
    num_episodes: int,
    num_envs: int,
    seed: int,
    on_progress: Callable[[int, int], None] | None = None,
) -> dict[str, Rollouts]:
    """Roll agents out on the same `num_episodes` episodes, `num_envs` of them side by side in lockstep.

    The agents take turns, batch by batch: what slows the machine down for a while slows all of them. The same seed
    gives every agent the same episodes.

    Args:
        agents: see `Agent`. Their ``on_plan`` callbacks still fire, after ours; they are put back at the end.
        protocol: how episodes begin and what is told of them.
        num_episodes: at least 1.
        num_envs: at least 1; memory and speed depend on it, results do not.
        seed: a non-negative integer.
        on_progress: called as ``on_progress(steps_done, steps_in_all)`` after each step, in steps of all agents and of
            episodes as long as they can be.

    Raises:
        UserError: on unusable arguments, or when an agent answers with actions of the wrong shape or not finite.
    """
    for name, value, least in (("n_episodes", num_episodes, 1), ("n_envs", num_envs, 1), ("seed", seed, 0)):
        if value < least:
            raise UserError(f"{name} must be at least {least}; got {value}")
    recorders = {name: PlanRecorder(num_episodes, misplaced=protocol.misplaced) for name in agents}
    seconds, parts = dict.fromkeys(agents, 0.0), {name: list[dict[str, Any]]() for name in agents}
    num_steps, done = protocol.most_steps, 0
    clipped = {name: -num_clipped(agent) for name, agent in agents.items()}
    for first in range(0, num_episodes, num_envs):
        episodes = range(first, min(first + num_envs, num_episodes))
        for name, agent in agents.items():
            began = time.perf_counter()
            recorders[name].first_episode = first
            tick = _ticker(on_progress, done=done, batch=len(episodes), total=len(agents) * num_episodes * num_steps)
            with recorders[name].listening_to(agent), protocol.begin(episodes, seed=seed) as running:
                parts[name] += _roll_out(agent, running, num_steps=num_steps, tick=tick)
            seconds[name] += time.perf_counter() - began
            done += len(episodes) * num_steps
            if on_progress is not None:
                on_progress(done, len(agents) * num_episodes * num_steps)  # also where all were over earlier
    shared: dict[str, Any] = {"env_id": protocol.env_id, "seed": seed, "num_envs": num_envs}
    return {
        name: _assemble(
            parts[name],
            plans=recorders[name],
            seconds=seconds[name],
            outside_data=clipped[name] + num_clipped(agent),
            **shared,
        )
        for name, agent in agents.items()
    }


def num_clipped(agent: Agent) -> int:
    """Observations that an agent has moved to the edge of the data so far; 0 where it never does."""
    return getattr(agent, "num_clipped", 0)


def _assemble(episodes: Sequence[Mapping[str, Any]], **rest: Any) -> Rollouts:
    """Put the episodes of one agent together, by the fields of the result; ``rest`` are others of these."""
    parts = {name: [each[name] for each in episodes] for name in episodes[0]}
    told = None if any(each is None for each in parts["success"]) else parts["success"]
    whole: dict[str, Any] = {**parts, **rest, "success": told, "terminated": np.array(parts["terminated"])}
    return Rollouts(**whole)


def _roll_out(agent: Agent, running: Running, *, num_steps: int, tick: Callable[[int], None]) -> list[dict[str, Any]]:
    """Roll episodes out in lockstep, until the last is over."""
    now, steps, played = running.begun, list[Stepped](), list[np.ndarray]()
    try:
        begin(agent, running)
        while len(steps) < num_steps and not now.over.all():
            played.append(_checked_actions(agent.act(now.observations), shape=running.action_shape))
            now = running.step(played[-1])
            steps.append(now.without_observations())
            tick(len(steps))
    except Exception as error:
        error.add_note(f"while evaluating {running.name}, at step {len(steps)}")
        raise
    return [_one(running.begun, steps, played, row=row) for row in range(len(running.agent_seeds))]


def begin(agent: Agent, running: Running) -> None:
    """Tell an agent of the episodes that have begun."""
    goals = running.told_goals
    agent.reset(seeds=running.agent_seeds, goals=None if goals is None else goals.copy())


def _one(begun: Stepped, steps: Sequence[Stepped], played: Sequence[np.ndarray], *, row: int) -> dict[str, Any]:
    """The episode of a row, up to where it was over."""
    over = [each.over[row] for each in steps]
    own = steps[: over.index(True) + 1] if True in over else steps
    told = all(each.success is not None for each in own)
    return {
        "states": np.stack([each.states[row] for each in (begun, *own)]),
        "actions": np.stack([actions[row] for actions in played[: len(own)]]),
        "rewards": np.array([each.rewards[row] for each in own]),
        "success": np.array([each.success[row] for each in own]) if told else None,  # type: ignore[index]
        "goals": np.stack([each.goals[row] for each in (begun, *own)]),
        "terminated": bool(own[-1].terminated[row]),
    }


def _checked_actions(actions: Any, *, shape: tuple[int, ...]) -> np.ndarray:
    """Refuse actions that the environment could only misread."""
    array = np.asarray(actions)
    if array.shape != shape:
        raise UserError(
            f"the agent must answer with actions of shape {shape}, one row an environment; got {array.shape}"
        )
    if not np.issubdtype(array.dtype, np.number) or not np.isfinite(array).all():
        row = int(np.argmin(np.isfinite(array).all(axis=1))) if np.issubdtype(array.dtype, np.number) else 0
        raise UserError(f"the agent's actions must be finite numbers; environment {row} of the batch got {array[row]}")
    return array.astype(np.float32)


def _ticker(
    on_progress: Callable[[int, int], None] | None, *, done: int, batch: int, total: int
) -> Callable[[int], None]:
    """Turn steps of the running batch into steps of the whole evaluation."""

    def tick(step: int) -> None:
        if on_progress is not None:
            on_progress(done + step * batch, total)

    return tick
