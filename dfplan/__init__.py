"""Diffusion planning made usable: train on offline data, plan with guidance, act in a receding horizon.

The names below are loaded when they are first asked for, so that ``import dfplan`` is light.
"""

import importlib

TYPE_CHECKING = False  # as typing has it, whose import would take as long as the rest of Python
if TYPE_CHECKING:
    from typing import Any

    from dfplan.agent.controllers import PlannedActions
    from dfplan.agent.mpc import MPCAgent
    from dfplan.cli.python import train
    from dfplan.data.formats import read
    from dfplan.domains.maze.shooting import ShootingTracker
    from dfplan.domains.one_env import Agent
    from dfplan.errors import UserError
    from dfplan.models.library import load
    from dfplan.models.publish import push_to_hub
    from dfplan.planner.constraints import Constraints
    from dfplan.planner.planner import Planner
    from dfplan.planner.settings import PlannerSettings
    from dfplan.types import Plan, Trajectories

__version__ = "0.1.0"
__all__ = [
    "Agent",
    "Constraints",
    "MPCAgent",
    "Plan",
    "PlannedActions",
    "Planner",
    "PlannerSettings",
    "ShootingTracker",
    "Trajectories",
    "UserError",
    "load",
    "push_to_hub",
    "read",
    "train",
]
_MODULES = {
    "Agent": "domains.one_env",
    "Constraints": "planner.constraints",
    "MPCAgent": "agent.mpc",
    "Plan": "types",
    "PlannedActions": "agent.controllers",
    "Planner": "planner.planner",
    "PlannerSettings": "planner.settings",
    "ShootingTracker": "domains.maze.shooting",
    "Trajectories": "types",
    "UserError": "errors",
    "load": "models.library",
    "push_to_hub": "models.publish",
    "read": "data.formats",
    "train": "cli.python",
}


def __getattr__(name: str) -> "Any":
    if name not in _MODULES:
        from dfplan.domains import former

        if (now := former.NAMES.get(name)) in _MODULES:
            return __getattr__(now)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value  # found at once from now on
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
