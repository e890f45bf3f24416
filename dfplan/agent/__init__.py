"""Agents and the controllers that turn plans into motion."""

from typing import TYPE_CHECKING, Any

from dfplan.agent.controllers import Controller, PlannedActions
from dfplan.agent.delay import InferenceDelay
from dfplan.agent.goal_policy import GoalObservation, GoalPolicy
from dfplan.agent.inverse import InverseControl
from dfplan.agent.mpc import MPCAgent
from dfplan.agent.plan_maker import PlanMaker
from dfplan.domains import former

if TYPE_CHECKING:
    from dfplan.domains.maze.shooting import ShootingTracker

__all__ = [
    "Controller",
    "GoalObservation",
    "GoalPolicy",
    "InferenceDelay",
    "InverseControl",
    "MPCAgent",
    "PlanMaker",
    "PlannedActions",
    "ShootingTracker",
]


def __getattr__(name: str) -> Any:
    if former.NAMES.get(name, name) != "ShootingTracker":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from dfplan.domains.maze.shooting import ShootingTracker  # a domain's own, under the name of its fellows

    return ShootingTracker
