"""Objectives about the goal: predicted return, nearness, early arrival, staying."""

import torch
from torch import Tensor

from dfplan.planner.objectives.predicted_plan import Objective, PredictedPlan, soft_minimum


def predicted_return(plan: PredictedPlan) -> Tensor:
    """Mean predicted share of time at the goal: the reward slots (arXiv 2407.01392, section 3.4)."""
    return plan.rewards.mean(dim=1)


def goal_distance(plan: PredictedPlan) -> Tensor:
    """Minus the mean distance of the planned points to the goal, in goal radii."""
    return -plan.goal_distances.mean(dim=1)


def arrival_time(*, slowest: float = 2.0, temperature: float = 0.05) -> Objective:
    """Minus the share of the plan that passes before it arrives: a smooth stand-in for the first arrival.

    A plan that is ``d`` away from the goal disc at time ``t`` could be there at ``t + d / slowest``; the least of these
    over all points is the time of arrival. Where the plan arrives, and gets nearer faster than ``slowest``, that is the
    first arrival itself; where it does not arrive, the gradient pulls at the points that come nearest, so it never
    vanishes.

    Args:
        slowest: speed at which what is missing would be covered, in goal radii per second; lower than what plans drive
            at, or the bound prefers to stop early.
        temperature: of the soft minimum over points, as a share of the plan's length.
    """

    def objective(plan: PredictedPlan) -> Tensor:
        missing = (plan.goal_distances - 1).clamp(min=0)
        points = missing.shape[1]
        passed = torch.arange(1, points + 1, device=missing.device) / points
        share_per_radius = 1 / (slowest * plan.seconds_per_point * points)
        return -soft_minimum(passed + share_per_radius * missing, temperature=temperature)

    return objective


def stay_at_goal(*, within: float = 0.5) -> Objective:
    """Minus the mean distance by which points after the first arrival lie off the goal.

    How much a point counts as "after the arrival" is a soft indicator without gradient, so that never arriving is no
    way to be good at it; a plan that never arrives has nothing to stay at and is worth 0.

    Args:
        within: distance from the goal that is good enough, in goal radii.
    """

    def objective(plan: PredictedPlan) -> Tensor:
        after, distances = plan.arrived, plan.goal_distances
        return -(after * (distances - within).clamp(min=0)).sum(dim=1) / after.sum(dim=1).clamp(min=1)

    return objective
