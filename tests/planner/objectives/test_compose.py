"""Sums, weights by noise level, and how a plan moves."""

import pytest
import torch
from plans import gradient_of, plan_along

from dfplan.planner.objectives import (
    goal_distance,
    predicted_return,
    smoothness,
    speed_limit,
    weighted_by_level,
    weighted_sum,
)

POINTS = [[[3.0, 0.0], [0.0, 4.0], [0.0, 2.0], [1.0, 0.0]]]


def test_a_sum_is_the_weighted_values():
    parts = [lambda plan: plan.positions.sum(dim=(1, 2)), lambda plan: plan.positions.amax(dim=(1, 2))]
    assert weighted_sum(parts, weights=[2.0, 10.0])(plan_along(POINTS)).tolist() == [60.0]
    with pytest.raises(ValueError, match="got 2 objectives, 1 weights"):
        weighted_sum(parts, weights=[1.0])


def test_a_weight_by_level_changes_no_value_but_each_tokens_share_of_the_gradient():
    levels = torch.tensor([[0.25, 1.0]])
    weighted = weighted_by_level(goal_distance, weight=lambda level: 1 - level)
    assert weighted(plan_along(POINTS, levels=levels)) == goal_distance(plan_along(POINTS))
    plain = gradient_of(goal_distance, POINTS)
    found = gradient_of(weighted, POINTS, levels=levels)
    torch.testing.assert_close(found, plain * torch.tensor([0.75, 0.75, 0.0, 0.0])[:, None])


def test_rewards_are_weighted_by_level_too():
    rewards = torch.tensor([[0.5, 0.5]], requires_grad=True)
    plan = plan_along(POINTS, rewards=rewards, levels=[[0.0, 0.75]])
    weighted = weighted_by_level(predicted_return, weight=lambda level: 1 - level)
    (gradient,) = torch.autograd.grad(weighted(plan).sum(), rewards)
    assert gradient.tolist() == [[0.5, 0.125]]


def test_a_speed_limit_counts_the_share_by_which_it_is_exceeded():
    # From the start 3, 5, 2 and about 2.24 units in a second each; a limit of 2.5 allows the last two.
    value = speed_limit(2.5)(plan_along(POINTS))
    assert value.item() == pytest.approx(-((3 / 2.5 - 1) + (5 / 2.5 - 1)) / 4)
    assert speed_limit(5.0)(plan_along(POINTS)).item() == 0


def test_smoothness_is_minus_the_mean_squared_change_of_the_step():
    assert smoothness(plan_along([[[1.0, 0.0], [2.0, 0.0], [3.0, 0.0]]])).item() == 0
    assert smoothness(plan_along([[[1.0, 0.0], [2.0, 0.0], [2.0, 3.0]]])).item() == pytest.approx(-(0 + 10) / 2)
    assert smoothness(plan_along([[[1.0, 0.0]]])).item() == 0
