"""Objectives about the goal, about how a plan moves, and about regions and way-points."""

from collections.abc import Sequence

import torch
from torch import Tensor

from dfplan.planner.objectives.predicted_plan import Objective, PredictedPlan, length, soft_minimum
from dfplan.planner.regions import Disc, Region


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


def speed_limit(limit: float) -> Objective:
    """Minus the mean share by which the way between two points is driven faster than ``limit`` (units per second)."""

    def objective(plan: PredictedPlan) -> Tensor:
        speed = length(torch.diff(plan.path, dim=1)) / plan.seconds_per_point
        return -(speed / limit - 1).clamp(min=0).mean(dim=1)

    return objective


def smoothness(plan: PredictedPlan) -> Tensor:
    """Minus the mean squared change of the step from point to point, in goal radii."""
    bends = torch.diff(plan.path, n=2, dim=1) / plan.goal_radius
    return -bends.square().sum(dim=-1).sum(dim=1) / max(bends.shape[1], 1)


def signed_distance(region: Region, points: Tensor) -> Tensor:
    """How far points ``[..., dim]`` are outside a region, differentiable; negative inside."""
    if isinstance(region, Disc):
        return length(points - points.new_tensor(region.center)) - region.radius
    beyond = torch.maximum(points.new_tensor(region.low) - points, points - points.new_tensor(region.high))
    return length(beyond.clamp(min=0)) + beyond.amax(dim=-1).clamp(max=0)


def keep_out(regions: Sequence[Region], *, margin: float = 0.0) -> Objective:
    """Minus the mean depth, in goal radii, at which points lie in the regions.

    Args:
        regions: where the plan should not go.
        margin: environment units by which the regions are made larger.
    """

    def objective(plan: PredictedPlan) -> Tensor:
        depths = [(margin - signed_distance(region, plan.achieved_goals)).clamp(min=0) for region in regions]
        return -torch.stack(depths).sum(dim=0).mean(dim=1) / plan.goal_radius

    return objective


def keep_in(regions: Sequence[Region]) -> Objective:
    """Minus the mean distance, in goal radii, of points from the nearest of the regions."""

    def objective(plan: PredictedPlan) -> Tensor:
        nearest = torch.stack([signed_distance(region, plan.achieved_goals) for region in regions]).amin(dim=0)
        return -nearest.clamp(min=0).mean(dim=1) / plan.goal_radius

    return objective


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
