"""Way-points: places that a plan should pass, in order or in any order."""

from collections.abc import Sequence

import torch
from torch import Tensor

from dfplan.planner.objectives.predicted_plan import Objective, PredictedPlan, length, soft_minimum

TOO_LATE = 10.0  # goal radii by which a point is farther away once the plan has arrived


def waypoints_in_any_order(waypoints: Sequence[Sequence[float]], *, temperature: float = 0.2) -> Objective:
    """Minus the mean, over way-points, of how near the plan comes to each, in goal radii.

    Args:
        waypoints: places in environment units.
        temperature: of the soft minimum over the points of the plan, in goal radii.
    """

    def objective(plan: PredictedPlan) -> Tensor:
        return -soft_minimum(_distances(plan, waypoints), temperature=temperature).mean(dim=1)

    return objective


def waypoints_in_order(waypoints: Sequence[Sequence[float]], *, temperature: float = 0.2) -> Objective:
    """As :func:`waypoints_in_any_order`, where each way-point counts only if passed after the one before.

    The best ordered assignment of points to way-points is found by dynamic programming with soft minima (as in soft
    dynamic time warping, arXiv 1703.01541). A plan with fewer points than way-points is asked for the first ones.
    """

    def objective(plan: PredictedPlan) -> Tensor:
        distances = _distances(plan, waypoints)
        best, num_asked = distances[:, 0], min(distances.shape[1:])
        for number in range(1, num_asked):
            # The best so far of the way-points before, at points before this one.
            earlier = -temperature * torch.logcumsumexp(-best / temperature, dim=1)
            best = distances[:, number, number:] + earlier[:, :-1]
        return -soft_minimum(best, temperature=temperature) / num_asked

    return objective


def _distances(plan: PredictedPlan, waypoints: Sequence[Sequence[float]]) -> Tensor:
    """``[batch, waypoints, points]`` in goal radii; points after the arrival count as far away."""
    places = plan.achieved_goals.new_tensor(waypoints)
    distances = length(plan.achieved_goals[:, None] - places[:, None]) / plan.goal_radius
    return distances + TOO_LATE * plan.arrived[:, None]
