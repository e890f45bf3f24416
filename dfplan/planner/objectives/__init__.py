"""What a plan should be good at: differentiable functions from a predicted clean plan to a value per plan.

Each is normalised by the plan's own length and measures lengths in goal radii, so that the same weight means the same
for long and short plans and in any unit of length. They compose by :func:`weighted_sum` and :func:`weighted_by_level`.
"""

from dfplan.planner.objectives.distance_field import DistanceField, field_progress, load_distance_field
from dfplan.planner.objectives.earned import expected_return
from dfplan.planner.objectives.predicted_plan import Objective, PredictedPlan, weighted_by_level, weighted_sum
from dfplan.planner.objectives.terms import (
    arrival_time,
    goal_distance,
    keep_in,
    keep_out,
    predicted_return,
    signed_distance,
    smoothness,
    speed_limit,
    stay_at_goal,
    waypoints_in_any_order,
    waypoints_in_order,
)
from dfplan.planner.regions import Box, Disc, Region

__all__ = [
    "Box",
    "Disc",
    "DistanceField",
    "Objective",
    "PredictedPlan",
    "Region",
    "arrival_time",
    "expected_return",
    "field_progress",
    "goal_distance",
    "keep_in",
    "keep_out",
    "load_distance_field",
    "predicted_return",
    "signed_distance",
    "smoothness",
    "speed_limit",
    "stay_at_goal",
    "waypoints_in_any_order",
    "waypoints_in_order",
    "weighted_by_level",
    "weighted_sum",
]
