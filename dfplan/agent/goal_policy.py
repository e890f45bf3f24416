"""Ways in for people who come from Gymnasium and Stable-Baselines3: goals inside the observation, and ``predict``."""

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from dfplan.agent.mpc import MPCAgent
from dfplan.arrays import checked_rows, numbers_of
from dfplan.errors import UserError


class GoalObservation(gymnasium.ObservationWrapper):
    """Puts the goal of ``info["goal"]`` into the observation, in the shape that Gymnasium-Robotics has.

    Observations become ``{"observation", "achieved_goal", "desired_goal"}``, so that a policy that is shown nothing but
    observations, as in Stable-Baselines3, knows where to go in every episode.

    Args:
        env: its ``info`` of reset holds ``goal`` ``(goal_dim,)``; the place is the first of an observation.
        goal_dim: numbers in a goal; a place in the plane unless said.
    """

    def __init__(self, env: gymnasium.Env, *, goal_dim: int = 2) -> None:
        super().__init__(env)
        inner = env.observation_space
        if not isinstance(inner, spaces.Box) or len(inner.shape) != 1:
            raise UserError(f"GoalObservation needs an environment with flat observations; got {inner}")
        place = spaces.Box(inner.low[:goal_dim], inner.high[:goal_dim], dtype=inner.dtype.type)
        self.observation_space = spaces.Dict({"observation": inner, "achieved_goal": place, "desired_goal": place})
        self._goal = np.zeros(goal_dim)

    def reset(self, **options: Any) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """See Gymnasium."""
        observation, info = self.env.reset(**options)
        if "goal" not in info:
            raise UserError("the environment's reset tells no goal in its info; GoalObservation has nothing to show")
        self._goal = np.asarray(info["goal"], dtype=self.env.observation_space.dtype)
        return self.observation(observation), info

    def observation(self, observation: np.ndarray) -> dict[str, np.ndarray]:
        """The three parts of one observation."""
        goal = self._goal.copy()
        return {"observation": observation, "achieved_goal": observation[: len(goal)].copy(), "desired_goal": goal}


class GoalPolicy:
    """An agent behind Stable-Baselines3's ``predict``, for observations that carry their goal.

    ::

        env = GoalObservation(gymnasium.make("dfplan_envs:maze2d-large-v1", goal="random"), goal_dim=2)
        mean, std = stable_baselines3.common.evaluation.evaluate_policy(GoalPolicy(agent, seed=0), env)

    Args:
        agent: plans and acts; its memory is this policy's.
        seed: of all noise; environment k gets ``seed + k``.
    """

    def __init__(self, agent: MPCAgent, *, seed: int) -> None:
        self._agent = agent
        self._seed = seed
        self._goals = np.zeros((0, 0))

    def predict(
        self,
        observation: Mapping[str, np.ndarray],
        state: tuple[np.ndarray, ...] | None = None,
        episode_start: np.ndarray | None = None,
        deterministic: bool = False,
    ) -> tuple[np.ndarray, tuple[np.ndarray, ...] | None]:
        """Actions for one observation or a batch of them.

        A row begins a new episode where ``episode_start`` is True, and where its goal has changed. The first call, and
        one with another number of rows, begins all of them.

        Args:
            observation: ``observation`` ``(observation_dim,)`` or ``(batch, observation_dim)``, and ``desired_goal``.
            state: passed through; the agent keeps its own memory.
            episode_start: ``(batch,)`` bool.
            deterministic: accepted because callers pass it; plans are a function of the seed either way.

        Raises:
            UserError: a part is missing, shapes do not fit, or it is not finite or far from the data.
        """
        missing = {"observation", "desired_goal"} - set(observation)
        if missing:
            raise UserError(f"the observation has no {sorted(missing)[0]!r}; wrap the environment in GoalObservation")
        shown, wanted = (numbers_of(name, observation[name]) for name in ("observation", "desired_goal"))
        single, rows = shown.ndim == 1, np.atleast_2d(shown)
        width = self._agent.planner.goal_dim
        goals = checked_rows("desired_goal", np.atleast_2d(wanted), num_rows=len(rows), width=width)
        if len(goals) != len(self._goals):
            self._agent.reset(seeds=range(self._seed, self._seed + len(goals)), goals=goals)
        else:
            starting = (goals != self._goals).any(axis=1)
            starting |= np.zeros(len(goals), bool) if episode_start is None else np.asarray(episode_start, bool)
            indices = np.flatnonzero(starting)
            self._agent.restart(indices, goals=goals[indices])
        self._goals = goals.copy()
        actions = self._agent.act(rows)
        return (actions[0] if single else actions), state
