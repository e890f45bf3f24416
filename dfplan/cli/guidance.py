"""Builds the settings of guidance from a checked configuration."""

from collections.abc import Sequence
from dataclasses import asdict

from dfplan.cli.schema import GuidanceConfig
from dfplan.files import user_path
from dfplan.planner import GuidanceSettings
from dfplan.planner.objectives import Box, Disc, Region, load_distance_field


def build_guidance(guidance: GuidanceConfig) -> GuidanceSettings:
    """Plain numbers become regions, and the name of a file the distance field in it."""
    settings = asdict(guidance)
    settings["waypoints"] = tuple(tuple(float(axis) for axis in place) for place in guidance.waypoints or ())
    settings["keep_out"] = build_regions(guidance.keep_out or ())
    settings["keep_in"] = build_regions(guidance.keep_in or ())
    if guidance.distance_field is not None:
        settings["distance_field"] = load_distance_field(user_path(guidance.distance_field))
    return GuidanceSettings(**settings)


def build_regions(rows: Sequence[Sequence[float]]) -> tuple[Region, ...]:
    """Discs from rows of three numbers (x, y, radius), boxes from rows of four (two opposite corners)."""
    regions: list[Region] = []
    for row in rows:
        if len(row) == 3:
            regions.append(Disc(center=(row[0], row[1]), radius=row[2]))
        else:
            x1, y1, x2, y2 = row
            regions.append(Box(low=(min(x1, x2), min(y1, y2)), high=(max(x1, x2), max(y1, y2))))
    return tuple(regions)
