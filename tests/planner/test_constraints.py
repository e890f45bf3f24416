"""What is kept and what is broken, of paths that a pencil can draw."""

import numpy as np
import pytest
import torch
from tiny_model import line_model

from dfplan.errors import UserError
from dfplan.planner import Planner, PlannerSettings
from dfplan.planner.constraints import Constraints, as_constraints
from dfplan.planner.regions import Box, Disc
from dfplan.types import Support

# A unit a step along x, from 0 to 4, then back to 3.
THERE_AND_BACK = np.array([[0.0, 0], [1, 0], [2, 0], [3, 0], [4, 0], [3, 0]])


def judge(positions=THERE_AND_BACK, *, steps=None, passed=None, **asked):
    steps = len(positions) - 1 if steps is None else steps
    given = None if passed is None else np.array([passed])
    return Constraints(**asked).judge(
        positions[None], num_steps=np.array([steps]), radius=0.5, seconds_per_step=0.5, passed=given
    )


def test_plain_lists_are_regions():
    asked = Constraints(keep_out=[[1, 2, 0.5], [3, 5, 1, 4]], waypoints=[[1, 2]])
    assert asked.keep_out == (Disc((1, 2), 0.5), Box((1, 4), (3, 5)))
    assert asked.waypoints == ((1.0, 2.0),)
    with pytest.raises(UserError, match=r"a disc \[x, y, radius\] or a box \[x1, y1, x2, y2\]; got \[1.0, 2.0\]"):
        Constraints(keep_out=[[1, 2]])
    with pytest.raises(UserError, match="way-points must be finite numbers"):
        Constraints(waypoints=[[1, np.nan]])
    with pytest.raises(UserError, match="max_speed must be above 0; got nan"):
        Constraints(max_speed=float("nan"))


@pytest.mark.parametrize(
    "asked",
    [{"keep_out": [row]} for row in ([np.nan, 1, 1], [1, 1, np.inf], [1, None, 1], [True, 1, 1], "111", 5, {1, 2, 3})]
    + [{"keep_out": np.ma.array([[1, 1, 0.2]], mask=[[0, 0, 1]])}, {"keep_in": [[np.inf, 0, 1]]}]
    + [{"waypoints": places} for places in ([1, 1], ["ab"], [[True, 1]], [[[1, 1]]], [[1, None]])]
    + [{"max_speed": limit} for limit in ("2", [2.0], True, np.inf, 1j)]
    + [{"functions": [3]}],
    ids=str,
)
def test_what_is_no_number_is_refused_and_never_kept(asked):
    with pytest.raises(UserError):
        Constraints(**asked)


@pytest.mark.parametrize("says", [None, "x", np.zeros(3), [0.0], {}, 1j], ids=str)
def test_a_judgement_says_yes_or_no_or_a_number(says):
    def judgement(places):
        return says

    with pytest.raises(UserError, match="the constraint judgement must return whether it is kept, or one number"):
        judge(functions=[judgement])


def test_what_goes_wrong_in_functions_of_the_user_is_told_with_where():
    def mine(plan):
        raise KeyError("arm")

    with pytest.raises(
        UserError, match=r"the constraint mine raised KeyError: 'arm' \(test_constraints.py, line \d+\)"
    ):
        judge(functions=[mine])
    settings, places = PlannerSettings(num_candidates=1), np.array([[3.0, 3, 0, 0]])
    for asked, said in (
        ({"objective": mine}, "the objective of a plan raised KeyError"),
        ({"constraints": mine}, "the constraint mine raised"),
        ({"constraints": None}, "constraints are Constraints.*; got None"),
        ({"settings": PlannerSettings(num_candidates=1, matrix=mine)}, "the matrix that was chosen raised KeyError"),
        ({"settings": PlannerSettings(num_candidates=1, matrix=lambda _: [[1]])}, "an integer tensor .*; got list"),
    ):
        with pytest.raises(UserError, match=said):
            Planner(line_model(), **{"settings": settings, **asked}).plan(
                places, places[:, :2] + 1, horizon=8, generators=[torch.Generator().manual_seed(0)]
            )


def test_a_judgement_may_work_in_the_places_that_it_is_given():
    def moved(places):
        places += 100
        return True

    places = THERE_AND_BACK.copy()
    assert judge(places, functions=moved).broken == ((),)
    np.testing.assert_array_equal(places, THERE_AND_BACK)


@pytest.mark.parametrize(
    ("regions", "clearance"),
    [([[2, 1, 0.75]], 0.25), ([[2, 1, 1.25]], -0.25), ([[9, 9, 1], [2, 0.5, 3, 1]], 0.5), ([[0.5, -1, 1.5, 1]], -0.5)],
)
def test_the_least_clearance_of_any_step_from_any_region_counts(regions, clearance):
    found = judge(keep_out=regions)
    assert found.clearance[0] == pytest.approx(clearance)
    assert found.broken == ((() if clearance >= 0 else ("keep_out",)),)
    assert found.kept.tolist() == [clearance >= 0]


def test_a_path_is_kept_in_a_union():
    assert judge(keep_in=[[0, 0, 2.25], [4, 0, 2.25]]).broken == ((),)
    outside = judge(keep_in=[[0, 0, 1.5], [4, 0, 1.5]])
    assert outside.broken == (("keep_in",),)
    assert outside.clearance[0] == pytest.approx(-0.5)


def test_steps_beyond_the_end_do_not_count():
    assert judge(keep_out=[[4, 0, 0.5]]).broken == (("keep_out",),)
    assert judge(keep_out=[[4, 0, 0.5]], steps=3).broken == ((),)


def test_way_points_are_passed_in_any_order_or_in_that_given():
    places = [[4, 0.25], [1, 0]]
    anyhow = judge(waypoints=places)
    assert anyhow.passes.tolist() == [[4, 1]]
    assert not anyhow.missed.any()
    in_order = judge(waypoints=places, in_order=True)
    assert in_order.passes.tolist() == [[4, 6]]
    assert in_order.broken == (("waypoints",),)
    assert judge(waypoints=[[4, 0.25], [3, 0]], in_order=True).passes.tolist() == [[4, 5]]


def test_what_was_passed_before_is_not_asked_for_again():
    found = judge(waypoints=[[9, 9], [1, 0]], in_order=True, passed=[True, False])
    assert found.passes.tolist() == [[0, 1]]
    assert found.kept.all()


def test_a_speed_is_the_way_of_a_step():
    assert judge(max_speed=2.0).broken == ((),)
    assert judge(max_speed=1.9).broken == (("max_speed",),)
    assert judge(max_speed=1.9).top_speed.tolist() == [2.0]


def test_functions_judge_the_whole_path_and_have_names():
    def short(positions):
        return 5.5 - len(positions)

    def undefined(positions):
        return float("nan")

    def fine(positions):
        return True

    def zero(positions):
        return np.float64(0)

    assert judge(functions=[short, undefined, fine, zero]).broken == (("short", "undefined"),)
    assert judge(functions=[short], steps=4).broken == ((),)


def test_constraints_add_up():
    def own(positions):
        return 1

    both = as_constraints(
        [Constraints(keep_out=[[0, 0, 1]], max_speed=3), Constraints(max_speed=2, in_order=True), own]
    )
    assert (both.max_speed, both.in_order, len(both.keep_out), both.functions) == (2, True, 1, (own,))
    assert not as_constraints([])
    with pytest.raises(UserError, match="constraints are Constraints"):
        as_constraints([7])  # type: ignore[list-item]


def test_support_is_restricted_to_what_is_allowed():
    support = Support(visited=np.array([[True, True, False], [True, True, True]]), origin=np.zeros(2), cell=1.0)
    assert Constraints(keep_out=[[0.5, 0.5, 0.3]]).restrict(support).visited.tolist() == [
        [False, True, False],
        [True, True, True],
    ]
    kept = Constraints(keep_in=[[0.0, 1.0, 2.0, 2.0], [1.5, 2.5, 0.1]]).restrict(support)
    assert kept.visited.tolist() == [[False, True, False], [False, True, True]]
    wider = Constraints(keep_out=[[0.5, 0.5, 0.3]]).restrict(support, margin=0.8)
    assert wider.visited.tolist() == [[False, False, False], [False, True, True]]
    assert Constraints(max_speed=1).restrict(support) is support
