"""Which objectives guide a plan, and how much: plain numbers, from which the objective is built."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from dfplan.errors import UserError
from dfplan.planner.objectives import (
    DistanceField,
    Objective,
    Region,
    arrival_time,
    field_progress,
    goal_distance,
    keep_in,
    keep_out,
    predicted_return,
    restrict_support,
    smoothness,
    speed_limit,
    stay_at_goal,
    waypoints_in_any_order,
    waypoints_in_order,
    weighted_sum,
)
from dfplan.types import PositionSupport


@dataclass(frozen=True)
class GuidanceSettings:
    """What plans are guided towards. A weight is a log-probability per unit of its objective; 0 leaves it out.

    Attributes:
        reward: weight of the predicted share of time at the goal.
        distance: weight of the mean distance to the goal, in goal radii.
        time: weight of the share of the plan that passes before it arrives.
        stay: weight of the mean distance from the goal after the arrival, in goal radii.
        smoothness: weight of the squared change of the step from point to point, in goal radii.
        progress: weight of the mean progress along ``distance_field``, in goal radii.
        constraints: weight of the way-points, regions and speed limit that are given.
        waypoints: positions to pass.
        in_order: whether to pass the way-points in the order given.
        keep_out: regions to avoid.
        keep_in: regions, one of which the plan should always be in.
        max_speed: environment units per second not to exceed; None is no limit.
        distance_field: distances to the goal along a map.
        lowest_level: noise level of a token below which it is no longer guided (guidance interval, arXiv 2404.07724);
            without guidance at the end a plan is smoother, with it, it keeps closer to its constraints.
        highest_level: noise level of a token above which it is not guided yet.
        num_futures: futures over which the objective is averaged (Monte Carlo guidance); 0 takes the predicted mean.
        lookahead: tokens after those being denoised that the objective sees; None is all.
    """

    reward: float = 0.0
    distance: float = 0.0
    time: float = 0.0
    stay: float = 0.0
    smoothness: float = 0.0
    progress: float = 0.0
    constraints: float = 30.0
    waypoints: Sequence[Sequence[float]] = ()
    in_order: bool = False
    keep_out: Sequence[Region] = ()
    keep_in: Sequence[Region] = ()
    max_speed: float | None = None
    distance_field: DistanceField | None = None
    lowest_level: float = 0.3
    highest_level: float = 1.0
    num_futures: int = 0
    lookahead: int | None = None

    def __post_init__(self) -> None:
        for name in ("reward", "distance", "time", "stay", "smoothness", "progress", "constraints"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise UserError(f"guidance.{name} must be 0 or more; got {getattr(self, name)}")
        if not 0 <= self.lowest_level <= self.highest_level <= 1:
            raise UserError(
                "guidance.lowest_level and guidance.highest_level must be in order between 0 and 1; "
                f"got {self.lowest_level} and {self.highest_level}"
            )
        if self.num_futures < 0 or (self.lookahead is not None and self.lookahead < 0):
            raise UserError(
                "guidance.num_futures and guidance.lookahead must be 0 or more; "
                f"got {self.num_futures} and {self.lookahead}"
            )
        if self.max_speed is not None and not self.max_speed > 0:
            raise UserError(f"guidance.max_speed must be above 0; got {self.max_speed}")
        if self.progress > 0 and self.distance_field is None:
            raise UserError("guidance.progress needs a map: give guidance.distance_field, too")

    def objective(self) -> Objective | None:
        """The weighted sum of all that is asked for; None where nothing is."""
        parts: list[tuple[float, Objective]] = [
            (self.reward, predicted_return),
            (self.distance, goal_distance),
            (self.time, arrival_time()),
            (self.stay, stay_at_goal()),
            (self.smoothness, smoothness),
        ]
        if self.distance_field is not None:
            parts.append((self.progress, field_progress(self.distance_field)))
        parts += [(self.constraints, each) for each in self._constraints()]
        wanted = [(weight, each) for weight, each in parts if weight > 0]
        if not wanted:
            return None
        weights, objectives = zip(*wanted, strict=True)
        return weighted_sum(objectives, weights=weights)

    def restrict(self, support: PositionSupport) -> PositionSupport:
        """The support less what is to be kept out of, and of what is to be kept in."""
        return restrict_support(support, keep_out=self.keep_out, keep_in=self.keep_in)

    def _constraints(self) -> list[Objective]:
        found: list[Objective] = []
        if self.waypoints:
            passing = waypoints_in_order if self.in_order else waypoints_in_any_order
            found.append(passing(self.waypoints))
        if self.keep_out:
            found.append(keep_out(self.keep_out))
        if self.keep_in:
            found.append(keep_in(self.keep_in))
        if self.max_speed is not None:
            found.append(speed_limit(self.max_speed))
        return found
