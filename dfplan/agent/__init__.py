"""Agents and the controllers that turn plans into motion."""

from dfplan.agent.controllers import Controller, PlannedActions, Pursuit
from dfplan.agent.goal_policy import GoalObservation, GoalPolicy
from dfplan.agent.inverse import InverseControl
from dfplan.agent.mpc import MPCAgent, PlanMaker

__all__ = [
    "Controller",
    "GoalObservation",
    "GoalPolicy",
    "InverseControl",
    "MPCAgent",
    "PlanMaker",
    "PlannedActions",
    "Pursuit",
]
