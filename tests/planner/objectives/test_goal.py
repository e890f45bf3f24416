"""Objectives about the goal are the quantities they are named after."""

import pytest
import torch
from plans import gradient_of, plan_along

from dfplan.planner.objectives import arrival_time, goal_distance, predicted_return, stay_at_goal

# On a line, goal disc of radius 1 at 10: outside up to 8, inside from 9 on.
LINE = [[[float(x), 0.0] for x in (2, 4, 6, 8, 10, 10, 10, 10)]]
GOAL = (10.0, 0.0)


def test_predicted_return_is_the_mean_share_of_time_at_the_goal():
    plan = plan_along(torch.zeros(2, 6, 2), rewards=[[0.0, 0.5, 1.0], [0.0, 0.0, 0.25]])
    torch.testing.assert_close(predicted_return(plan), torch.tensor([0.5, 0.25 / 3]))


def test_goal_distance_is_minus_the_mean_distance_in_goal_radii():
    assert goal_distance(plan_along(LINE, goal=GOAL)).item() == pytest.approx(-(8 + 6 + 4 + 2) / 8)
    assert goal_distance(plan_along([[[3.0, 4.0]]])).item() == -5


def test_the_gradient_is_finite_at_the_goal_itself():
    gradient = gradient_of(goal_distance, [[[0.0, 0.0], [3.0, 4.0]]])
    torch.testing.assert_close(gradient, torch.tensor([[[0.0, 0.0], [-0.3, -0.4]]]))


def test_arrival_time_is_the_share_of_the_plan_before_the_first_arrival():
    sharp = arrival_time(slowest=0.5, temperature=1e-3)
    assert sharp(plan_along(LINE, goal=GOAL)).item() == pytest.approx(-5 / 8)
    later = [[[0.0, 0.0], *LINE[0][:-1]]]
    assert sharp(plan_along(later, goal=GOAL)).item() == pytest.approx(-6 / 8)


def test_a_plan_that_never_arrives_counts_what_it_misses_at_the_slowest_speed():
    # At 6 after three of four points; the edge of the disc is 3 away: six points more at half a radius per second.
    plan = plan_along([[[2.0, 0.0], [4.0, 0.0], [6.0, 0.0], [2.0, 0.0]]], goal=GOAL)
    assert arrival_time(slowest=0.5, temperature=1e-3)(plan).item() == pytest.approx(-(3 + 6) / 4)
    gradient = gradient_of(arrival_time(slowest=0.5), [[[2.0, 0.0], [4.0, 0.0], [6.0, 0.0], [2.0, 0.0]]], goal=GOAL)
    assert gradient[0, 2, 0] > 0.4  # the nearest point is pulled, the others hardly
    assert gradient[0, [0, 1, 3], 0].abs().max() < 0.01


def test_arriving_early_pulls_at_the_points_before_the_arrival():
    gradient = gradient_of(arrival_time(temperature=0.3), LINE, goal=GOAL)
    assert (gradient[0, :4, 0] > 0).all()
    assert torch.equal(gradient[0, 4:], torch.zeros(4, 2))


def test_stay_counts_only_what_comes_after_the_arrival():
    stay = stay_at_goal(within=0.5)
    assert stay(plan_along(LINE, goal=GOAL)).item() == pytest.approx(0, abs=0.01)
    passing = [[[float(x), 0.0] for x in (6, 8, 10, 12, 14, 16)]]
    # After the arrival: 0, 2, 4 and 6 away, less the half radius that is good enough.
    assert stay(plan_along(passing, goal=GOAL)).item() == pytest.approx(-(0 + 1.5 + 3.5 + 5.5) / 4, abs=0.01)


def test_a_plan_that_never_arrives_has_nothing_to_stay_at():
    away = [[[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [3.0, 0.0]]]
    assert stay_at_goal()(plan_along(away, goal=GOAL)).item() == pytest.approx(0, abs=1e-6)


def test_not_arriving_is_no_way_to_stay():
    # The pull at a point after the arrival is towards the goal, never out of the disc.
    gradient = gradient_of(stay_at_goal(), [[[10.0, 0.0], [9.2, 0.0], [12.0, 0.0]]], goal=GOAL)
    assert gradient[0, 1, 0] > 0
    assert gradient[0, 2, 0] < 0
    assert gradient[0, 0, 0] == 0


@pytest.mark.parametrize("objective", [goal_distance, predicted_return, stay_at_goal()])
def test_a_longer_plan_is_not_worth_more(objective):
    short, long = (
        objective(plan_along(torch.full((1, 2 * tokens, 2), 0.6), rewards=torch.full((1, tokens), 0.5))).item()
        for tokens in (2, 20)
    )
    assert long == pytest.approx(short)
