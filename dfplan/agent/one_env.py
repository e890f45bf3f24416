"""The agent of one environment: what it needs comes from the model and the environment."""

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from dfplan.agent.controllers import Controller, Pursuit
from dfplan.agent.mpc import MPCAgent
from dfplan.arrays import numbers_of
from dfplan.errors import UserError
from dfplan.models.forcing_model import ForcingModel
from dfplan.planner import Planner, PlannerSettings

_GOALS = ("desired_goal", "goal")  # where environments tell it: in the observation, or as an attribute


class Agent:
    """Plans and acts in one Gymnasium environment, towards the goal that the environment has.

    ::

        agent = dfplan.Agent(dfplan.load("maze2d-large"), env)
        observation, info = env.reset(seed=0)
        observation, reward, terminated, truncated, info = env.step(agent.act(observation))

    An episode begins with :meth:`reset`, where the goal changes, and where the observation jumps. Plans are made as
    those of ``dfplan eval``; for batches of environments, see :class:`~dfplan.agent.MPCAgent`.

    Args:
        model: a trained planner, of :func:`dfplan.load`.
        env: has flat observations, or a dictionary of ``observation`` and ``desired_goal``; and a goal there or as its
            attribute ``goal``.
        planner: how to plan; None is as the model's defaults are.
        controller: what turns plans into actions; None drives along the planned path.
        replan_every: steps between two plans, at most.
        seed: of the noise of all plans.

    Raises:
        UserError: the model is not of this environment's sizes, or the environment tells no goal.
    """

    def __init__(
        self,
        model: ForcingModel,
        env: gymnasium.Env[Any, Any],
        *,
        planner: Planner | None = None,
        controller: Controller | None = None,
        replan_every: int = 32,
        seed: int = 0,
    ) -> None:
        _check_sizes(model, env)
        self.planner = planner or Planner(model, settings=PlannerSettings())
        constraints = self.planner.constraints
        if controller is None:
            controller = Pursuit(model.point_mass, goal_radius=model.goal_radius, constraints=constraints)
        steps = getattr(env.spec, "max_episode_steps", None) or self.planner.window_steps
        self._agent = MPCAgent(self.planner, controller=controller, replan_every=replan_every, horizon=steps)
        self._env, self._seed = env, seed
        self._goal: np.ndarray | None = None

    def reset(self, *, seed: int | None = None) -> None:
        """Begin a new episode with the next observation; a ``seed`` is as that of the agent."""
        self._goal = None
        self._seed = self._seed if seed is None else seed

    def act(self, observation: np.ndarray | Mapping[str, np.ndarray]) -> np.ndarray:
        """The action ``(action_dim,)`` float32 for an observation ``(observation_dim,)``, or a dictionary with one.

        Raises:
            UserError: it is of another shape, not finite or far from the data, or there is no goal.
        """
        goal = _goal_of(self._env, observation)
        if self._goal is None:
            self._agent.reset(seeds=[self._seed], goals=goal[None])
        elif not np.array_equal(goal, self._goal):
            self._agent.restart(np.zeros(1, np.int64), goals=goal[None])
        self._goal = goal
        seen = observation["observation"] if isinstance(observation, Mapping) else observation
        return self._agent.act(numbers_of("observation", seen)[None])[0]

    @property
    def info(self) -> dict[str, Any]:
        """What is broken of what must be kept; empty where nothing must be. See :attr:`MPCAgent.info`."""
        return self._agent.info


def _check_sizes(model: ForcingModel, env: gymnasium.Env[Any, Any]) -> None:
    shown = env.observation_space
    if isinstance(shown, spaces.Dict) and "observation" in shown.spaces:
        shown = shown["observation"]
    expected = (model.layout.observation_dim,), (model.layout.action_dim,)
    if (shown.shape, env.action_space.shape) != expected:
        raise UserError(
            f"the model plans with observations {expected[0]} and actions {expected[1]}, the environment has "
            f"{shown.shape} and {env.action_space.shape}; load the weights that were trained on it (those of pixel "
            "mazes are driven by `dfplan eval`)"
        )


def _goal_of(env: gymnasium.Env[Any, Any], observation: np.ndarray | Mapping[str, np.ndarray]) -> np.ndarray:
    in_observation, attribute = _GOALS
    if isinstance(observation, Mapping) and in_observation in observation:
        return np.array(numbers_of(in_observation, observation[in_observation]), np.float64)
    if not env.has_wrapper_attr(attribute):
        raise UserError(
            f"{env} tells no goal: neither {in_observation!r} in its observations nor an attribute {attribute!r}; wrap "
            "it in dfplan.agent.GoalObservation"
        )
    return np.array(numbers_of(attribute, env.get_wrapper_attr(attribute)), np.float64)
