"""The last rungs: hold, safe action, stop; and the latch that counts faults in a row."""

import numpy as np
import pytest
from fake_planner import HIGH, LOW

from dfplan.errors import UserError
from dfplan.realtime.ladder import FaultLatch, Ladder

SEEN = np.array([1.0, 2.0, 0.5, -0.5])


def _ladder(*, safe_action=None, hold_steps=2):
    return Ladder(low=LOW, high=HIGH, hold_steps=hold_steps, safe_action=safe_action)


def test_down_the_ladder_and_up_again():
    ladder = _ladder()
    followed = [None, [0.8, -0.4], None, None, None, None, [0.1, 0.2], None]
    given = [None if each is None else np.array(each) for each in followed]
    chosen = [ladder.choose(each, stopped=False, seen=SEEN) for each in given]
    assert [rung for _, rung in chosen] == ["safe", "plan", "hold", "hold", "safe", "safe", "plan", "hold"]
    np.testing.assert_allclose(
        [action for action, _ in chosen],
        [[0, 0], [0.8, -0.4], [0.8, -0.4], [0.4, -0.2], [0, 0], [0, 0], [0.1, 0.2], [0.1, 0.2]],
        rtol=1e-6,
    )
    assert all(action.dtype == np.float32 for action, _ in chosen)


def test_after_a_stop_nothing_is_held():
    ladder = _ladder()
    ladder.choose(np.ones(2), stopped=False, seen=SEEN)
    assert ladder.choose(np.ones(2), stopped=True, seen=SEEN)[1] == "stopped"
    assert ladder.choose(None, stopped=False, seen=SEEN)[1] == "safe"


def test_a_reset_forgets_the_held_action():
    ladder = _ladder()
    ladder.choose(np.ones(2), stopped=False, seen=SEEN)
    ladder.reset()
    assert ladder.choose(None, stopped=False, seen=SEEN)[1] == "safe"


def test_the_safe_action_is_the_robots_own():
    brake = _ladder(safe_action=lambda seen: np.zeros(2) if seen is None else -10 * seen[2:])
    np.testing.assert_array_equal(brake.choose(None, stopped=False, seen=SEEN)[0], [-1, 1])
    np.testing.assert_array_equal(brake.choose(None, stopped=True, seen=None)[0], [0, 0])


@pytest.mark.parametrize("answer", [np.array([np.nan, 0]), np.zeros(3), [np.inf, 0]])
def test_a_bad_safe_action_is_no_action(answer):
    np.testing.assert_array_equal(
        _ladder(safe_action=lambda _: answer).choose(None, stopped=False, seen=SEEN)[0], [0, 0]
    )


def test_an_action_space_without_zero_has_a_nearest_action():
    ladder = Ladder(low=np.array([0.5]), high=np.array([2.0]), hold_steps=5, safe_action=None)
    np.testing.assert_array_equal(ladder.choose(None, stopped=False, seen=None)[0], [0.5])
    ladder.choose(np.array([9.0]), stopped=False, seen=None)
    held = [ladder.choose(None, stopped=False, seen=None)[0][0] for _ in range(4)]
    assert held == [2.0, 1.0, 0.5, 0.5]


@pytest.mark.parametrize(
    ("action", "admitted"),
    [([5.0, 0.0], True), ([np.nan, 0.0], False), ([0.0, np.inf], False), ([0.0], False), ([[0.0, 0.0]], False)],
)
def test_only_finite_actions_of_the_right_shape_are_admitted(action, admitted):
    assert _ladder().admits(np.array(action)) == admitted


def test_the_latch_counts_faults_in_a_row_of_each_kind():
    latch = FaultLatch({"planner": 2, "observation": 3})
    for kind, good in (("observation", False), ("planner", False), ("observation", False), ("planner", True)) * 2:
        latch.record(kind, good=good)
        if latch.is_latched:
            break
    assert latch.cause == "observation"
    latch.record("observation", good=True)
    assert latch.is_latched
    latch.release()
    assert not latch.is_latched
    latch.record("planner", good=False)
    assert not latch.is_latched
    latch.record("planner", good=False)
    latch.record("observation", good=False)
    assert latch.cause == "planner"


def test_a_latch_without_a_limit_is_refused():
    with pytest.raises(UserError, match="at least 1"):
        FaultLatch({"planner": 0})


def test_a_latch_may_take_one_fault_for_enough():
    latch = FaultLatch({"planner": 1})
    latch.record("planner", good=True)
    assert not latch.is_latched
    latch.record("planner", good=False)
    assert latch.is_latched
