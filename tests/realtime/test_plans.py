"""Plans as messages: what another process says is followed only if it fits."""

import numpy as np
import pytest

from dfplan.realtime.plans import plan_fields, plan_from, plan_of_actions
from dfplan.realtime.wire import HEADER_BYTES, WireError, decode, encode
from dfplan.types import Plan

LIMITS = {"action_low": np.array([-1.0, -2.0]), "action_high": np.array([1.0, 2.0]), "observation_dim": 4}


def message(*, steps=8, spacing=4, points=2, **changes):
    fields = {
        "id": 3,
        "seconds": 0.25,
        "context_level": 0.5,
        "steps_per_point": spacing,
        "arrival": 5,
        "value": 1.5,
        "observations": np.arange(4.0 * points).reshape(points, 4),
        "actions": np.linspace([-1, -2], [1, 2], steps),
        "rewards": np.array([0.25, 0.75]),
        "broken": "",
    }
    return decode(encode("plan", **(fields | changes))[HEADER_BYTES:])


def test_a_plan_that_fits_is_a_batch_of_one():
    plan = plan_from(message(), **LIMITS)
    assert plan.observations.shape == (1, 2, 4)
    np.testing.assert_array_equal(plan.observations[0], np.arange(8.0).reshape(2, 4))
    assert plan.actions.dtype == np.float32
    np.testing.assert_allclose(plan.actions[0], np.linspace([-1, -2], [1, 2], 8), rtol=1e-6)
    np.testing.assert_array_equal(plan.rewards, [[0.25, 0.75]])
    assert plan.arrival.tolist() == [5]
    assert plan.num_steps.tolist() == [8]
    assert plan.value.tolist() == [1.5]
    assert plan.steps_per_point == 4


def test_steps_behind_the_last_point_are_part_of_the_plan():
    assert plan_from(message(steps=11), **LIMITS).num_steps.tolist() == [11]


def test_rounding_beyond_the_action_space_is_clipped():
    slight = np.array([[1 + 1e-6, -2 - 3e-6]] * 8)
    np.testing.assert_array_equal(plan_from(message(actions=slight), **LIMITS).actions[0], [[1, -2]] * 8)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"actions": np.zeros((0, 2))}, r"needs actions \(steps, 2\); got \[0, 0\]"),
        ({"actions": np.zeros((8, 3))}, r"needs actions \(steps, 2\); got \[8, 3\]"),
        ({"points": 1}, "8 steps, 4 to a point, need 2 states of 4 numbers; got \\[1, 4\\]"),
        ({"points": 3}, "need 2 states"),
        ({"points": 0}, "need 2 states"),
        ({"observations": np.zeros((2, 5))}, "of 4 numbers"),
        ({"spacing": 0}, "0 to a point"),
        ({"spacing": 0, "points": 0}, "0 to a point"),
        ({"actions": np.array([[1 + 1e-5, 0.0]] * 8)}, "outside the action space"),
        ({"actions": np.array([[0.0, -2 - 1e-5]] * 8)}, "outside the action space"),
    ],
)
def test_a_plan_that_does_not_fit_is_refused(changes, said):
    with pytest.raises(WireError, match=said):
        plan_from(message(**changes), **LIMITS)


def test_only_actions_make_a_plan_too_and_it_survives_the_wire():
    plan = plan_of_actions(np.array([[0.5, -1.5]] * 3))
    assert plan.arrival.tolist() == [4]  # never, within the plan
    assert (plan.observations.shape, plan.actions.shape, plan.rewards.shape) == ((1, 0, 0), (1, 3, 2), (1, 1))
    again = plan_from(message(**plan_fields(plan)), **LIMITS)
    np.testing.assert_array_equal(again.actions, plan.actions)
    assert again.observations.shape == (1, 0, 4)
    assert (again.steps_per_point, again.arrival.tolist(), again.value.tolist()) == (4, [4], [0.0])
    np.testing.assert_array_equal(again.rewards, [[0.0]])


def test_what_lies_beyond_the_end_is_not_sent():
    points, steps = np.arange(24.0).reshape(1, 6, 4), np.arange(48.0).reshape(1, 24, 2) / 100
    rewards, end = np.arange(3.0)[None], np.array([13])
    plan = Plan(points, steps, rewards, np.array([9]), end, np.array([2.0]), 4)
    fields = plan_fields(plan)
    np.testing.assert_array_equal(fields["observations"], points[0, :3])
    np.testing.assert_array_equal(fields["actions"], steps[0, :13])
    np.testing.assert_array_equal(fields["rewards"], [0.0, 1.0])  # a token is 8 steps: the second one has begun
    assert (fields["arrival"], fields["value"], fields["steps_per_point"]) == (9, 2.0, 4)
