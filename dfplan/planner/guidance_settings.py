"""Which objectives guide a plan, and how much: plain numbers, from which the objective is built."""

from dataclasses import dataclass, replace
from types import NoneType

from dfplan import plugins
from dfplan.errors import UserError, check_kind
from dfplan.planner.constraints import Constraints
from dfplan.planner.objectives import (
    DistanceField,
    Objective,
    arrival_time,
    field_progress,
    goal_distance,
    keep_in,
    keep_out,
    predicted_return,
    smoothness,
    speed_limit,
    stay_at_goal,
    waypoints_in_any_order,
    waypoints_in_order,
    weighted_sum,
)
from dfplan.ranges import check_settings
from dfplan.settings.guidance import GuidanceNumbers

KEPT = ("keep_out", "keep_in", "waypoints", "in_order", "max_speed")  # what constraints are in settings


@dataclass(frozen=True)
class GuidanceSettings(GuidanceNumbers):
    """What plans must keep, and are guided towards by gradients; a ``distance_field`` is one, not the name of a file.

    Raises:
        UserError: a number out of range, regions that are none, or settings that do not go together.
    """

    def __post_init__(self) -> None:
        check_settings(self)
        if self.lowest_level > self.highest_level:
            raise UserError(
                "guidance.lowest_level and guidance.highest_level must be in order between 0 and 1; "
                f"got {self.lowest_level} and {self.highest_level}"
            )
        fields = (DistanceField, NoneType)
        check_kind(fields, such_as="a DistanceField, or None", distance_field=self.distance_field)
        asked = self.must_keep()
        for name in ("waypoints", "keep_out", "keep_in"):
            object.__setattr__(self, name, getattr(asked, name))
        if self.progress > 0 and self.distance_field is None:
            raise UserError("guidance.progress needs a map: give guidance.distance_field, too")

    def objective(self, earned: Objective = predicted_return) -> Objective | None:
        """The weighted sum of all that is asked for; None where nothing is. ``reward`` weighs what is ``earned``."""
        parts: list[tuple[float, Objective]] = [
            (self.reward, earned),
            (self.distance, goal_distance),
            (self.time, arrival_time()),
            (self.stay, stay_at_goal()),
            (self.smoothness, smoothness),
        ]
        if self.distance_field is not None:
            parts.append((self.progress, field_progress(self.distance_field)))
        if self.custom is not None:
            parts.append((1.0, plugins.find("objectives", self.custom, own={})))
        parts += [(self.constraints, each) for each in self._constraints()]
        wanted = [(weight, each) for weight, each in parts if weight > 0]
        if not wanted:
            return None
        weights, objectives = zip(*wanted, strict=True)
        return weighted_sum(objectives, weights=weights)

    def must_keep(self) -> Constraints:
        """What a plan must keep."""
        return Constraints(**{name: getattr(self, name) for name in KEPT})

    def with_constraints(self, asked: Constraints) -> "GuidanceSettings":
        """These settings, with other constraints; functions are not among them."""
        return replace(self, **{name: getattr(asked, name) for name in KEPT})

    def _constraints(self) -> list[Objective]:
        found: list[Objective] = []
        if self.waypoints and self.method == "chosen":  # otherwise they are goals
            passing = waypoints_in_order if self.in_order else waypoints_in_any_order
            found.append(passing(self.waypoints))
        if self.keep_out:
            found.append(keep_out(self.keep_out))  # type: ignore[arg-type]
        if self.keep_in:
            found.append(keep_in(self.keep_in))  # type: ignore[arg-type]
        if self.max_speed is not None:
            found.append(speed_limit(self.max_speed))
        return found
