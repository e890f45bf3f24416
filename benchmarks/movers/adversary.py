"""Somebody who heads for where the robot's way leads: plans of the same weights, steered there by guidance."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from dfplan.agent import MPCAgent, PlanMaker, PlannedActions
from dfplan.models.forcing_model import ForcingModel
from dfplan.planner import GuidanceSettings, Planner, PlannerSettings
from dfplan.scorers import steps_along
from dfplan.types import Plan
from dfplan_envs.movers import MAX_SPEED, PURSUIT_SPEED

STATE = 4  # numbers of a disc
# No goal is shown: it is where guidance steers.
SETTINGS = PlannerSettings(num_candidates=8, halve_after=None, cfg_scale=0, guidance=GuidanceSettings(distance=20.0))


class Adversary:
    """A maker of plans: foresees where the robot goes, being told its goal, and meets it there as soon as it can.

    Args:
        model: weights of one who walks alone.
    """

    observation_dim, goal_dim = 2 * STATE, 2

    def __init__(self, model: ForcingModel) -> None:
        self._foreseen = Planner(model, settings=PlannerSettings(num_candidates=1))
        self._own = Planner(model, settings=SETTINGS)

    def plan(
        self, observations: np.ndarray, goals: np.ndarray | None, *, horizon: int, generators: Sequence[torch.Generator]
    ) -> Plan:
        """Plans for its own states, the first half of ``observations`` ``(batch, 8)``; the robots' are the second."""
        own, robot = observations[:, :STATE], observations[:, STATE:]
        ways = self._foreseen.plan(robot, goals, horizon=horizon, generators=generators)
        places = steps_along(robot[:, :2], ways.observations[..., :2], steps_per_point=ways.steps_per_point)
        apart = np.linalg.norm(places - own[:, None, :2], axis=-1)
        late = apart - PURSUIT_SPEED * MAX_SPEED * np.arange(1, places.shape[1] + 1)
        meeting = np.where((late <= 0).any(axis=1), (late <= 0).argmax(axis=1), late.argmin(axis=1))
        met = places[np.arange(len(own)), meeting]
        return self._own.plan(own, met, horizon=horizon, generators=generators)


class Duel(MPCAgent):
    """The robot's agent, and the adversary's beside it.

    Args:
        planner: of the robot, which sees its own state and that of the adversary.
        model: weights that the adversary plans with.
        how: of both agents, ``replan_every`` and ``horizon``.
    """

    def __init__(self, planner: PlanMaker, model: ForcingModel, **how: Any) -> None:
        super().__init__(planner, controller=PlannedActions(2), **how)
        self.adversary = MPCAgent(Adversary(model), controller=PlannedActions(2), **how)

    def reset(self, *, seeds: Sequence[int], goals: np.ndarray | None = None) -> None:
        """Begin new episodes; the adversary is told the robot's goals."""
        super().reset(seeds=seeds, goals=goals)
        self.adversary.reset(seeds=seeds, goals=goals)

    def act(self, observations: np.ndarray) -> np.ndarray:
        """Actions ``(batch, 4)``, the robot's and the adversary's, for observations ``(batch, 8)``."""
        turned = np.roll(observations, STATE, axis=1)
        return np.concatenate([super().act(observations), self.adversary.act(turned)], axis=1)
