"""Builds the settings of guidance from a checked configuration."""

from dataclasses import asdict, replace

from dfplan import plugins
from dfplan.files import user_path
from dfplan.planner import GuidanceSettings
from dfplan.planner.objectives import load_distance_field
from dfplan.settings.guidance import GuidanceNumbers

OBJECTIVES = ("reward", "distance", "time", "stay", "smoothness", "progress")
NAMED_WEIGHT = 30.0  # of an objective that is asked for by its name


def build_guidance(guidance: GuidanceNumbers) -> GuidanceSettings:
    """Plain numbers become regions, and the name of a file the distance field in it."""
    settings = asdict(guidance)
    if guidance.distance_field is not None:
        settings["distance_field"] = load_distance_field(user_path(guidance.distance_field))
    return GuidanceSettings(**settings)


def with_objective(guidance: GuidanceNumbers, name: str | None) -> GuidanceNumbers:
    """The same with the named objective, unless it has a weight already; of an installed package, as it weighs it.

    Raises:
        UserError: nobody knows it.
    """
    if name is None:
        return guidance
    if name not in OBJECTIVES:
        plugins.find("objectives", name, own=dict.fromkeys(OBJECTIVES))
        return replace(guidance, custom=name)
    return guidance if getattr(guidance, name) > 0 else replace(guidance, **{name: NAMED_WEIGHT})
