"""Roll an agent out on maze episodes that depend only on (seed, episode), never on how many run side by side.

Knows agents only by their contract (`Agent`) and environments only through Gymnasium.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from gymnasium.vector import VectorEnv

from dfplan.domains.maze.beginnings import GOALS, draw_beginnings
from dfplan.domains.maze.environment import load_maze, qualified_id
from dfplan.errors import UserError
from dfplan.evaluation.batches import VECTORIZATIONS, begin_batch
from dfplan.evaluation.metrics import EpisodeScores, score_episodes
from dfplan.evaluation.plan_recorder import PlanRecorder
from dfplan.types import PlanEvent


class Agent(Protocol):
    """Anything that acts for a batch of environments; how it decides is its own affair."""

    on_plan: Callable[[PlanEvent], None] | None

    def reset(self, *, seeds: Sequence[int], goals: np.ndarray) -> None:
        """Begin new episodes, one a seed, with goals ``(batch, 2)``; row k's behaviour may depend on seed k alone."""
        ...

    def act(self, observations: np.ndarray) -> np.ndarray:
        """Map observations ``(batch, …)``, as the environment gives them, to actions ``(batch, 2)`` in [-1, 1]."""
        ...


@dataclass(frozen=True, repr=False)
class Rollouts:
    """Everything measured in one evaluation.

    Attributes:
        env_id: Gymnasium id.
        goal: "fixed" (the maze's own), "random" (drawn anew for each episode: Multi2D) or "detour" (start and goal
            between which the straight line leads into dead ends).
        seed: what the episodes were derived from.
        positions: ``(episodes, steps + 1, 2)`` float32, the start included.
        goals: ``(episodes, 2)``.
        rewards: ``(episodes, steps)`` float32, paid for the state after each step.
        at_goal: ``(episodes, steps)`` bool, within the goal radius after each step.
        scores: per-episode scores of the above.
        planned_points: ``(episodes,)`` how many points were planned in the episode, over all its plans.
        planned_points_in_walls: ``(episodes,)`` how many of them lie inside a wall.
        plan_seconds: ``(plans,)`` wall seconds of each plan: those of its batch divided by the plans in the batch.
        plan_evaluations: ``(plans,)`` int64, how many sequences went through the network for each plan; empty if the
            agent does not say.
        plan_token_evaluations: ``(plans,)`` int64, how many tokens of them were computed; empty likewise.
        plan_batch: the largest number of environments that were planned for at once; 0 if the agent does not plan.
        num_envs: how many environments ran side by side.
        seconds: wall time of the whole evaluation.
    """

    env_id: str
    goal: str
    seed: int
    positions: np.ndarray
    goals: np.ndarray
    rewards: np.ndarray
    at_goal: np.ndarray
    scores: EpisodeScores
    planned_points: np.ndarray
    planned_points_in_walls: np.ndarray
    plan_seconds: np.ndarray
    plan_evaluations: np.ndarray
    plan_token_evaluations: np.ndarray
    plan_batch: int
    num_envs: int
    seconds: float

    @property
    def starts(self) -> np.ndarray:
        """``(episodes, 2)`` float32, where each episode began."""
        return self.positions[:, 0]

    def __len__(self) -> int:
        return len(self.positions)

    def __repr__(self) -> str:
        return f"Rollouts({self.env_id}, goal={self.goal}, episodes={len(self)}, steps={self.rewards.shape[1]})"


def evaluate_agent(
    agent: Agent,
    *,
    env_id: str,
    goal: str,
    num_episodes: int,
    num_envs: int,
    seed: int,
    vectorization: str = "batched",
    goal_given: str = "position",
    view: str | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Rollouts:
    """Roll one agent out; see :func:`evaluate_agents`."""
    return evaluate_agents(
        {"": agent},
        env_id=env_id,
        goal=goal,
        num_episodes=num_episodes,
        num_envs=num_envs,
        seed=seed,
        vectorization=vectorization,
        goal_given=goal_given,
        view=view,
        on_progress=on_progress,
    )[""]


def evaluate_agents(
    agents: Mapping[str, Agent],
    *,
    env_id: str,
    goal: str,
    num_episodes: int,
    num_envs: int,
    seed: int,
    vectorization: str = "batched",
    goal_given: str = "position",
    view: str | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> dict[str, Rollouts]:
    """Roll agents out on the same `num_episodes` episodes, `num_envs` of them side by side in lockstep.

    The agents take turns, batch by batch: what slows the machine down for a while slows all of them.

    Start cells (for "detour" pairs of start and goal cells) follow one seeded permutation over and over, so that they
    are spread evenly; around the cell comes D4RL's noise (±0.1 per axis, velocity 0.1 * normal). The same seed gives
    every agent the same starts and goals.

    Args:
        agents: see `Agent`. Their ``on_plan`` callbacks still fire, after ours; they are put back at the end.
        env_id: a maze, such as ``maze2d-large-v1`` or ``pixelmaze-large-v1``.
        goal: "fixed", "random" or "detour" (see :mod:`dfplan.domains.maze.beginnings`).
        num_episodes: at least 1.
        num_envs: at least 1; memory and speed depend on it, results do not.
        seed: a non-negative integer.
        vectorization: "batched", "sync" or "async" (see :mod:`dfplan.evaluation.batches`); likewise.
        goal_given: "position", or "image" for a picture of the agent at the goal where the environment shows pictures.
        view: of the camera, where the environment shows pictures: see :func:`dfplan.domains.maze.frames.load_camera`.
        on_progress: called as ``on_progress(steps_done, steps_in_all)`` after each step, in steps of all agents.

    Raises:
        UserError: on unusable arguments, or when an agent answers with actions of the wrong shape or not finite.
    """
    _check_arguments(goal=goal, num_episodes=num_episodes, num_envs=num_envs, seed=seed, vectorization=vectorization)
    maze = load_maze(env_id)
    recorders = {name: PlanRecorder(num_episodes, maze=maze) for name in agents}
    seconds, parts = dict.fromkeys(agents, 0.0), {name: [] for name in agents}
    num_steps, done = maze.max_episode_steps, 0
    task: dict[str, Any] = {"env_id": env_id, "goal": goal, "seed": seed}
    how: dict[str, Any] = {"vectorization": vectorization, "goal_given": goal_given, "view": view}
    for first in range(0, num_episodes, num_envs):
        episodes = range(first, min(first + num_envs, num_episodes))
        for name, agent in agents.items():
            began = time.perf_counter()
            recorders[name].first_episode = first
            tick = _ticker(on_progress, done=done, batch=len(episodes), total=len(agents) * num_episodes * num_steps)
            with recorders[name].listening_to(agent), begun(episodes, **task, **how) as beginning:
                parts[name].append(_roll_out(agent, beginning, num_steps=num_steps, tick=tick))
            seconds[name] += time.perf_counter() - began
            done += len(episodes) * num_steps
    return {
        name: _assemble(parts[name], recorders[name], maze=maze, num_envs=num_envs, seconds=seconds[name], **task)
        for name in agents
    }


def _assemble(parts: Sequence[tuple[np.ndarray, ...]], recorder: PlanRecorder, *, maze: Any, **rest: Any) -> Rollouts:
    """Put the batches of one agent together; ``rest`` are fields of the result."""
    positions, goals, rewards, at_goal = (np.concatenate(each) for each in zip(*parts, strict=True))
    return Rollouts(
        positions=positions,
        goals=goals,
        rewards=rewards,
        at_goal=at_goal,
        scores=score_episodes(
            rewards, at_goal=at_goal, reference_min=maze.reference_min, reference_max=maze.reference_max
        ),
        planned_points=recorder.points,
        planned_points_in_walls=recorder.points_in_walls,
        plan_seconds=np.array(recorder.seconds),
        plan_evaluations=np.array(recorder.evaluations, np.int64),
        plan_token_evaluations=np.array(recorder.token_evaluations, np.int64),
        plan_batch=recorder.largest_batch,
        **rest,
    )


def _check_arguments(*, goal: str, num_episodes: int, num_envs: int, seed: int, vectorization: str) -> None:
    if goal not in GOALS:
        raise UserError(
            "goal must be 'fixed' (the maze's own), 'random' (Multi2D) or 'detour' (the straight line leads into dead "
            f"ends); got {goal!r}"
        )
    if vectorization not in VECTORIZATIONS:
        raise UserError(f"vectorization must be one of {', '.join(VECTORIZATIONS)}; got {vectorization!r}")
    for name, value, least in (("n_episodes", num_episodes, 1), ("n_envs", num_envs, 1), ("seed", seed, 0)):
        if value < least:
            raise UserError(f"{name} must be at least {least}; got {value}")


@dataclass(frozen=True)
class Begun:
    """Episodes that have just begun.

    Attributes:
        name: which they are, for messages.
        env: the vector environment.
        observations: ``(episodes, …)``.
        positions: ``(episodes, 2)``.
        goals: ``(episodes, 2)``.
        told_goals: what the agent is told of them: the same, or pictures ``(episodes, height, width, 3)``.
        agent_seeds: what an agent is to be seeded with, one an episode.
    """

    name: str
    env: VectorEnv
    observations: np.ndarray
    positions: np.ndarray
    goals: np.ndarray
    told_goals: np.ndarray
    agent_seeds: list[int]


@contextmanager
def begun(
    episodes: range,
    *,
    env_id: str,
    goal: str,
    seed: int,
    vectorization: str = "batched",
    goal_given: str = "position",
    view: str | None = None,
) -> Iterator[Begun]:
    """Begin consecutive episodes side by side; they end with the block."""
    drawn = draw_beginnings(episodes, maze=load_maze(env_id), goal=goal, seed=seed)
    wishes = {"start": drawn.starts} if drawn.goals is None else {"start": drawn.starts, "goal": drawn.goals}
    env, observations, info = begin_batch(
        qualified_id(env_id),
        vectorization=vectorization,
        options={"goal": "random" if goal == "random" else "fixed"} | ({} if view is None else {"view": view}),
        seeds=drawn.env_seeds,
        wishes=wishes,
    )
    try:
        name = f"episodes {episodes[0]} to {episodes[-1]} of {env_id}"
        positions, goals = np.array(info["position"]), np.array(info["goal"])
        yield Begun(
            name,
            env,
            observations,
            positions=positions,
            goals=goals,
            told_goals=np.array(info["goal_image"]) if goal_given == "image" and "goal_image" in info else goals,
            agent_seeds=drawn.agent_seeds,
        )
    finally:
        env.close()


def _roll_out(
    agent: Agent, beginning: Begun, *, num_steps: int, tick: Callable[[int], None]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Roll episodes out in lockstep; return positions, goals, rewards and at_goal, episodes first."""
    env, observations, batch = beginning.env, beginning.observations, len(beginning.goals)
    positions = np.empty((batch, num_steps + 1, 2), np.float32)
    rewards = np.empty((batch, num_steps), np.float32)
    at_goal = np.empty((batch, num_steps), bool)
    positions[:, 0] = beginning.positions
    step = 0
    try:
        agent.reset(seeds=beginning.agent_seeds, goals=beginning.told_goals.copy())
        for step in range(num_steps):
            actions = _checked_actions(agent.act(observations), shape=env.action_space.shape)
            observations, reward, _, _, info = env.step(actions)
            positions[:, step + 1] = info["position"]
            rewards[:, step] = reward
            at_goal[:, step] = info["success"]
            tick(step + 1)
    except Exception as error:
        error.add_note(f"while evaluating {beginning.name}, at step {step}")
        raise
    return positions, beginning.goals, rewards, at_goal


def _checked_actions(actions: Any, *, shape: tuple[int, ...] | None) -> np.ndarray:
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
