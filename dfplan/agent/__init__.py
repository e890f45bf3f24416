"""Agents and the controllers that turn plans into motion."""

from typing import TYPE_CHECKING, Any

from dfplan.agent.controllers import Controller, PlannedActions
from dfplan.agent.delay import InferenceDelay
from dfplan.agent.goal_policy import GoalObservation, GoalPolicy
from dfplan.agent.inverse import InverseControl
from dfplan.agent.mpc import MPCAgent, PlanMaker

if TYPE_CHECKING:
    from dfplan.domains.maze.pursuit import Pursuit

__all__ = [
    "Controller",
    "GoalObservation",
    "GoalPolicy",
    "InferenceDelay",
    "InverseControl",
    "MPCAgent",
    "PlanMaker",
    "PlannedActions",
    "Pursuit",
]


def __getattr__(name: str) -> Any:
    if name != "Pursuit":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from dfplan.domains.maze.pursuit import Pursuit  # a domain's own, under the name of its fellows

    return Pursuit
