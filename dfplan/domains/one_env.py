"""The agent of one environment: what it needs comes from the model and the environment."""

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from dfplan.agent.controllers import Controller, PlannedActions
from dfplan.agent.mpc import MPCAgent
from dfplan.arrays import numbers_of
from dfplan.domains.gymnasium import as_goal, as_observation, read_spec
from dfplan.domains.maze.pursuit import Pursuit
from dfplan.domains.maze.scorer import PointMassScorer
from dfplan.errors import UserError
from dfplan.models.forcing_model import ForcingModel
from dfplan.planner import Planner, PlannerSettings
from dfplan.planner.settings import SHORT_HORIZON, SHORT_PROBLEMS

REPLAN_IN_MAZES, REPLAN_ELSEWHERE = 32, 2  # steps between two plans, as configs/controller has it
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
        env: that of the model. A maze has flat observations, or a dictionary of ``observation`` and ``desired_goal``;
            and a goal there or as its attribute ``goal``. Any other one is as ``dfplan train env=<its id>`` has it.
        planner: how to plan; None is as ``dfplan eval`` does.
        controller: what turns plans into actions; None drives along the planned path in a maze, and elsewhere takes
            the planned actions.
        replan_every: steps between two plans, at most; None is 32 in a maze, and elsewhere 2.
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
        replan_every: int | None = None,
        seed: int = 0,
    ) -> None:
        self._in_maze = isinstance(model.scorer, PointMassScorer)
        _check_sizes(model, env, in_maze=self._in_maze)
        self.planner = planner or Planner(model, settings=PlannerSettings() if self._in_maze else SHORT_PROBLEMS)
        if self._in_maze:
            constraints, often = self.planner.constraints, REPLAN_IN_MAZES
            own: Controller = Pursuit(model.point_mass, goal_radius=model.goal_radius, constraints=constraints)
            horizon = getattr(env.spec, "max_episode_steps", None) or self.planner.window_steps
        else:
            own, often, horizon = PlannedActions(model.layout.action_dim), REPLAN_ELSEWHERE, SHORT_HORIZON
        self._agent = MPCAgent(
            self.planner,
            controller=controller or own,
            replan_every=often if replan_every is None else replan_every,
            horizon=horizon,
        )
        self._env, self._seed = env, seed
        self._goal: np.ndarray | None = None

    def reset(self, *, seed: int | None = None) -> None:
        """Begin a new episode with the next observation; a ``seed`` is as that of the agent."""
        self._goal = None
        self._seed = self._seed if seed is None else seed

    def act(self, observation: np.ndarray | Mapping[str, np.ndarray]) -> np.ndarray:
        """The action, as the environment takes it, float32, for what it shows.

        Raises:
            UserError: it is of another shape, not finite or far from the data, or there is no goal.
        """
        goal = _goal_of(self._env, observation) if self._in_maze else as_goal(observation)
        if self._goal is None:
            self._agent.reset(seeds=[self._seed], goals=goal[None])
        elif not np.array_equal(goal, self._goal):
            self._agent.restart(np.zeros(1, np.int64), goals=goal[None])
        self._goal = goal
        if not self._in_maze:
            return self._agent.act(as_observation(observation)[None])[0].reshape(self._env.action_space.shape)
        seen = observation["observation"] if isinstance(observation, Mapping) else observation
        return self._agent.act(numbers_of("observation", seen)[None])[0]

    @property
    def info(self) -> dict[str, Any]:
        """What is broken of what must be kept; empty where nothing must be. See :attr:`MPCAgent.info`."""
        return self._agent.info


def _check_sizes(model: ForcingModel, env: gymnasium.Env[Any, Any], *, in_maze: bool) -> None:
    if not in_maze:
        spec, layout = read_spec(env), model.layout
        wanted = spec.observation_dim, spec.action_bounds.low.size, spec.goal_dim
        if wanted != (layout.observation_dim, layout.action_dim, layout.position_dim):
            raise UserError(
                f"the model plans with observations, actions and goals of {layout.observation_dim}, "
                f"{layout.action_dim} and {layout.position_dim} numbers, the environment has {wanted}; load the "
                "weights that were trained on it"
            )
        return
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
