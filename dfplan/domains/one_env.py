"""The agent of one environment: what it needs comes from the model and the environment."""

import warnings
from collections.abc import Mapping
from types import NoneType

import gymnasium
import numpy as np

from dfplan.agent.controllers import Controller, PlannedActions
from dfplan.agent.mpc import MPCAgent
from dfplan.domain import Domain
from dfplan.domains.find import find_domain
from dfplan.errors import UserError, check_kind
from dfplan.models.forcing_model import ForcingModel
from dfplan.planner import Planner, PlannerSettings
from dfplan.planner.acting import Acting, usual_acting
from dfplan.planner.obligations import Info

REPLAN_PATHS = 32  # steps between two plans, as configs/controller has it


class Agent:
    """Plans and acts in one Gymnasium environment, towards the goal that the environment has.

    ::

        agent = dfplan.Agent(dfplan.load("maze2d-large"), env)
        observation, info = env.reset(seed=0)
        observation, reward, terminated, truncated, info = env.step(agent.act(observation))

    An episode begins with :meth:`reset`, where the goal changes, and where the observation jumps. Plans are made as
    those of ``dfplan eval``; for batches of environments, see :class:`~dfplan.agent.MPCAgent`.

    Args:
        model: a trained planner, of :func:`dfplan.load`; that it was trained in another environment is a warning.
        env: that of the model. A maze has flat observations, or a dictionary of ``observation`` and ``desired_goal``;
            and a goal there or as its attribute ``goal``. Any other one is as ``dfplan train env=<its id>`` has it.
        planner: how to plan; None is as ``dfplan eval`` does.
        controller: what turns plans into actions; None drives along the planned path in a maze, and elsewhere takes
            the planned actions.
        replan_every: steps between two plans, at most; None is 32 in a maze, and elsewhere what the weights
            were trained for.
        seed: of the noise of all plans.

    Raises:
        UserError: the model is not of this environment's sizes, or the environment tells no goal.
    """

    def __init__(
        self,
        model: ForcingModel,
        env: gymnasium.Env,
        *,
        planner: Planner | None = None,
        controller: Controller | None = None,
        replan_every: int | None = None,
        seed: int = 0,
    ) -> None:
        check_kind(ForcingModel, such_as="a planner of dfplan.load", model=model)
        check_kind((Planner, NoneType), such_as="a dfplan.Planner, or None", planner=planner)
        if controller is not None:
            check_kind(Controller, such_as="one such as dfplan.PlannedActions(2), or None", controller=controller)
        self._domain = domain = _domain_of(env)
        _check_sizes(model, env, domain)
        trained = model.metadata.get("provenance", {}).get("config", {}).get("env", {}).get("id")
        if trained not in (None, domain.env_id):
            warnings.warn(f"the weights were trained in {trained}, not in {domain.env_id}", stacklevel=2)
        own = domain.controllers()  # the first of which drives along paths, as far ahead as an episode
        acting = Acting(PlannerSettings(), None, REPLAN_PATHS) if own else usual_acting(model)
        self.planner = planner or Planner(model, settings=acting.settings)
        usual: Controller = PlannedActions(model.layout.action_dim)
        if own:
            usual = next(iter(own.values()))(model, self.planner.constraints)
        episode = getattr(env.spec, "max_episode_steps", None) or self.planner.window_steps
        self._agent = MPCAgent(
            self.planner,
            controller=controller or usual,
            replan_every=acting.replan_every if replan_every is None else replan_every,
            horizon=acting.horizon or episode,
        )
        self._env, self._seed, self._action_shape = env, seed, env.action_space.shape
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
        shown, goal = self._domain.seen(self._env, observation)
        if self._goal is None:
            self._agent.reset(seeds=[self._seed], goals=goal[None])
        elif not np.array_equal(goal, self._goal):
            self._agent.restart(np.zeros(1, np.int64), goals=goal[None])
        self._goal = goal
        return self._agent.act(shown[None])[0].reshape(self._action_shape)

    @property
    def info(self) -> Info:
        """What is broken of what must be kept; empty where nothing must be. See :attr:`MPCAgent.info`."""
        return self._agent.info


def _domain_of(env: gymnasium.Env) -> Domain:
    """That of an environment, by its id.

    Raises:
        UserError: it has none, or is none that plans can be made in.
    """
    if not isinstance(env, gymnasium.Env):
        one = "; for several, dfplan.MPCAgent" if isinstance(env, gymnasium.vector.VectorEnv) else ""
        raise UserError(f"dfplan.Agent acts in one environment of gymnasium.make; got {type(env).__name__}{one}")
    if env.spec is None:
        raise UserError(f"{env} has no spec that says its id; make it with gymnasium.make")
    return find_domain(env.spec.id)


def _check_sizes(model: ForcingModel, env: gymnasium.Env, domain: Domain) -> None:
    spec, layout, space = domain.spec, model.layout, env.action_space
    bounds = spec.action_bounds
    if domain.shows_frames:
        raise UserError(
            f"{domain.env_id} shows pictures, and dfplan.Agent acts on numbers; give its weights to `dfplan eval "
            f"env={domain.env_id} weights=<their folder>`, or to dfplan.MPCAgent, and that to PixelAgent "
            "(dfplan.agent.pixels), whose sight dfplan.models.sight.load_sight reads from the same folder"
        )
    if not (
        np.array_equal(space.low.ravel(), bounds.low) and np.array_equal(space.high.ravel(), bounds.high)  # type: ignore[attr-defined]
    ):
        raise UserError(
            f"the environment takes actions in {space}, and {env.spec.id} as it is made has {bounds.low} to "  # type: ignore[union-attr]
            f"{bounds.high}: plans are in the latter; take the wrapper of actions off"
        )
    found = layout.observation_dim, layout.action_dim, layout.goal_dim
    wanted = spec.observation_dim, spec.action_bounds.low.size, spec.goal_dim
    if wanted != found:
        raise UserError(
            f"the model plans with observations, actions and goals of {found[0]}, {found[1]} and {found[2]} numbers, "
            f"the environment has {wanted}; load the weights that were trained on it"
        )
