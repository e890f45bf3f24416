"""Which objectives guide a plan, and how much: plain numbers, from which the objective is built."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from dfplan.errors import UserError
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
from dfplan.planner.regions import Region

METHODS = ("chosen", "parts", "routes", "detours")


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
        constraints: weight of the way-points, regions and speed limit that are given; they are kept without, too.
        waypoints: positions to pass, each within a goal radius.
        in_order: whether to pass the way-points in the order given.
        keep_out: regions to avoid: discs ``[x, y, radius]`` and boxes ``[x1, y1, x2, y2]``.
        keep_in: regions, one of which the plan must always be in.
        max_speed: environment units per second not to exceed; None is no limit.
        method: how constraints are kept: "chosen" (the candidate that keeps most),
            "parts" (way-points are goals of parts, parts are mended and driven in imagination), "routes" (besides, a
            part that no candidate keeps is planned by way of the middle of the shortest way over visited positions) or
            "detours" (by way of visited positions drawn at random).
        rounds: times that a plan is made anew while it breaks something, the best being kept.
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
    constraints: float = 0.0
    waypoints: Sequence[Sequence[float]] = ()
    in_order: bool = False
    keep_out: Sequence[Region | Sequence[float]] = ()
    keep_in: Sequence[Region | Sequence[float]] = ()
    max_speed: float | None = None
    method: str = "routes"
    rounds: int = 4
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
        if self.method not in METHODS:
            raise UserError(f"guidance.method must be one of {', '.join(METHODS)}; got {self.method!r}")
        if self.rounds < 1:
            raise UserError(f"guidance.rounds must be 1 or more; got {self.rounds}")
        asked = self.must_keep()
        for name in ("waypoints", "keep_out", "keep_in"):
            object.__setattr__(self, name, getattr(asked, name))
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

    def must_keep(self) -> Constraints:
        """What a plan must keep."""
        return Constraints(
            keep_out=self.keep_out,
            keep_in=self.keep_in,
            waypoints=self.waypoints,
            in_order=self.in_order,
            max_speed=self.max_speed,
        )

    def with_constraints(self, asked: Constraints) -> "GuidanceSettings":
        """These settings, with other constraints; functions are not among them."""
        return replace(
            self,
            keep_out=asked.keep_out,
            keep_in=asked.keep_in,
            waypoints=asked.waypoints,
            in_order=asked.in_order,
            max_speed=asked.max_speed,
        )

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
