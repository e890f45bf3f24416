"""Way-points, regions and distance fields by hand."""

import numpy as np
import pytest
import torch
from plans import gradient_of
from plans import plan_along as plan_along_anywhere

from dfplan.errors import UserError
from dfplan.planner.objectives import (
    Box,
    Disc,
    DistanceField,
    field_progress,
    keep_in,
    keep_out,
    load_distance_field,
    signed_distance,
    waypoints_in_any_order,
    waypoints_in_order,
)

FAR = (50.0, 50.0)  # where the goal is out of the way
SHARP = {"temperature": 1e-3}
LINE = [[[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [3.0, 0.0]]]


def plan_along(positions, *, goal=FAR, **options):
    return plan_along_anywhere(positions, goal=goal, **options)


def test_waypoints_in_any_order_are_missed_by_the_mean_of_the_nearest_distances():
    value = waypoints_in_any_order([[1.0, 2.0], [3.0, 0.0]], **SHARP)(plan_along(LINE))
    assert value.item() == pytest.approx(-(2 + 0) / 2, abs=1e-3)
    reversed_value = waypoints_in_any_order([[3.0, 0.0], [1.0, 2.0]], **SHARP)(plan_along(LINE))
    assert reversed_value.item() == pytest.approx(value.item())


def test_waypoints_in_order_must_be_passed_one_after_the_other():
    there = waypoints_in_order([[0.0, 0.0], [2.0, 0.0], [3.0, 0.0]], **SHARP)(plan_along(LINE))
    assert there.item() == pytest.approx(0, abs=1e-2)
    # Backwards, the best of a bad lot: 3 at point 0 or 1, then 2 at a later point, then 0 at a still later one.
    positions = [0.0, 1.0, 2.0, 3.0]
    best = min(
        abs(positions[a] - 3) + abs(positions[b] - 2) + abs(positions[c] - 0)
        for a in range(4)
        for b in range(a + 1, 4)
        for c in range(b + 1, 4)
    )
    back = waypoints_in_order([[3.0, 0.0], [2.0, 0.0], [0.0, 0.0]], **SHARP)(plan_along(LINE))
    assert back.item() == pytest.approx(-best / 3, abs=1e-2)


def test_one_waypoint_has_no_order():
    either = [each([[1.0, 1.0]])(plan_along(LINE)).item() for each in (waypoints_in_order, waypoints_in_any_order)]
    assert either[0] == pytest.approx(either[1])


def test_a_plan_with_fewer_points_than_waypoints_is_asked_for_the_first_ones():
    value = waypoints_in_order([[0.0, 2.0], [1.0, 1.0]], **SHARP)(plan_along([[[0.0, 0.0]]]))
    assert value.item() == pytest.approx(-2)


def test_a_waypoint_pulls_at_the_point_that_comes_nearest():
    gradient = gradient_of(waypoints_in_any_order([[2.0, 1.0]], temperature=0.05), LINE, goal=FAR)
    assert gradient[0, 2, 1] > 0.9
    assert gradient[0, [0, 1, 3]].abs().max() < 0.01


def test_a_waypoint_passed_after_the_arrival_is_passed_too_late():
    waypoint, there_first, goal_first = [[3.0, 0.0]], [[[3.0, 0.0], [0.0, 0.0]]], [[[0.0, 0.0], [3.0, 0.0]]]
    for passing in (waypoints_in_any_order, waypoints_in_order):
        assert passing(waypoint, **SHARP)(plan_along(there_first, goal=(0.0, 0.0))).item() == pytest.approx(0, abs=0.01)
        assert passing(waypoint, **SHARP)(plan_along(goal_first, goal=(0.0, 0.0))).item() < -2.9


@pytest.mark.parametrize(
    ("region", "point", "distance"),
    [
        (Disc((1.0, 1.0), 0.5), (1.0, 3.0), 1.5),
        (Disc((1.0, 1.0), 0.5), (1.0, 1.2), -0.3),
        (Box((0.0, 0.0), (2.0, 4.0)), (5.0, 2.0), 3.0),
        (Box((0.0, 0.0), (2.0, 4.0)), (5.0, 8.0), 5.0),
        (Box((0.0, 0.0), (2.0, 4.0)), (1.5, 2.0), -0.5),
        (Box((0.0, 0.0), (2.0, 4.0)), (1.0, 3.9), -0.1),
    ],
)
def test_signed_distances(region, point, distance):
    assert signed_distance(region, torch.tensor(point)).item() == pytest.approx(distance)
    assert region.distance(np.array(point)) == pytest.approx(distance)


def test_regions_without_size_are_refused():
    with pytest.raises(UserError, match="radius above 0; got 0"):
        Disc((1.0, 1.0), 0)
    with pytest.raises(UserError, match="low corner below its high one"):
        Box((1.0, 1.0), (2.0, 1.0))


def test_keep_out_is_minus_the_mean_depth():
    regions = [Disc((1.0, 0.0), 0.5), Box((1.5, -1.0), (2.5, 1.0))]
    assert keep_out(regions)(plan_along(LINE)).item() == pytest.approx(-(0.5 + 0.5) / 4)
    assert keep_out(regions, margin=0.1)(plan_along(LINE)).item() == pytest.approx(-(0.6 + 0.6) / 4)
    gradient = gradient_of(keep_out(regions), [[[1.0, 0.1], [2.0, 0.7], [9.0, 9.0]]])
    torch.testing.assert_close(gradient * 3, torch.tensor([[[0.0, 1.0], [0.0, 1.0], [0.0, 0.0]]]))


def test_keep_in_is_minus_the_mean_distance_to_the_nearest_region():
    regions = [Disc((0.0, 0.0), 0.5), Box((2.0, -1.0), (9.0, 1.0))]
    assert keep_in(regions)(plan_along(LINE)).item() == pytest.approx(-0.5 / 4)


def field():
    """Distance left is 10 x + y, which bilinear reading reproduces between cell centres."""
    x, y = torch.meshgrid(torch.arange(4) * 0.5 + 1.25, torch.arange(3) * 0.5 + 2.25, indexing="ij")
    return DistanceField(distances=10 * x + y, origin=(1.0, 2.0), cell=0.5)


def test_a_distance_field_is_bilinear_between_cell_centres_and_flat_outside():
    points = torch.tensor([[1.25, 2.25], [1.5, 2.6], [2.75, 3.25], [2.0, 3.0], [-5.0, 2.5], [9.0, 9.0]])
    expected = torch.tensor([14.75, 17.6, 30.75, 23.0, 15.0, 30.75])
    torch.testing.assert_close(field()(points), expected)
    assert field()(points[None]).shape == (1, 6)


def test_progress_is_how_much_less_is_left_on_average():
    value = field_progress(field())(plan_along([[[2.0, 2.5], [1.5, 2.5]]], start=(2.5, 2.5)))
    assert value.item() == pytest.approx(27.5 - (22.5 + 17.5) / 2)
    gradient = gradient_of(field_progress(field()), [[[2.0, 2.5], [1.6, 2.6]]], start=(2.5, 2.5))
    torch.testing.assert_close(gradient, torch.tensor([[[-5.0, -0.5], [-5.0, -0.5]]]))


def test_a_distance_field_comes_from_a_file(tmp_path):
    np.savez(tmp_path / "field.npz", distances=field().distances.numpy(), origin=[1.0, 2.0], cell=0.5)
    loaded = load_distance_field(tmp_path / "field.npz")
    assert torch.equal(loaded.distances, field().distances)
    assert (loaded.origin, loaded.cell) == ((1.0, 2.0), 0.5)


def test_files_that_are_no_distance_field_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"no distance field at .*none\.npz"):
        load_distance_field(tmp_path / "none.npz")
    np.savez(tmp_path / "other.npz", distances=np.zeros((3, 3)))
    with pytest.raises(UserError, match=r"origin is not a file in the archive.*np\.savez"):
        load_distance_field(tmp_path / "other.npz")
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(UserError, match=r"text\.npz is no distance field"):
        load_distance_field(tmp_path / "text.npz")
    np.savez(tmp_path / "infinite.npz", distances=np.full((3, 3), np.inf), origin=[0, 0], cell=1.0)
    with pytest.raises(UserError, match="2 by 2 finite numbers"):
        load_distance_field(tmp_path / "infinite.npz")
    np.savez(tmp_path / "flat.npz", distances=np.zeros((3, 3)), origin=[0, 0], cell=0.0)
    with pytest.raises(UserError, match="cell of a distance field must be above 0"):
        load_distance_field(tmp_path / "flat.npz")
