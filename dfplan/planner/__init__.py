"""Sampling, guidance and planning with a trained model.

The names below are loaded when they are first asked for: the modules beside them that need no torch come without it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dfplan.planner.belief import Belief
    from dfplan.planner.guidance import Guidance
    from dfplan.planner.guidance_settings import GuidanceSettings
    from dfplan.planner.planner import Planner
    from dfplan.planner.sampler import Denoised, Sampling, sample_tokens
    from dfplan.planner.settings import PlannerSettings
    from dfplan.planner.tree_nodes import TreeSettings
    from dfplan.planner.tree_planner import PlanTrees, TreePlanner

__all__ = [
    "Belief",
    "Denoised",
    "Guidance",
    "GuidanceSettings",
    "PlanTrees",
    "Planner",
    "PlannerSettings",
    "Sampling",
    "TreePlanner",
    "TreeSettings",
    "sample_tokens",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from dfplan.planner import belief, guidance, guidance_settings, planner, sampler, settings, tree_nodes, tree_planner

    modules = (planner, belief, guidance, guidance_settings, sampler, settings, tree_nodes, tree_planner)
    return next(vars(module)[name] for module in modules if name in vars(module))
