"""Way-points and regions are marked where they are; pictures show y to the right."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle

from dfplan.planner import GuidanceSettings
from dfplan.planner.objectives import Box, Disc
from dfplan.types import Verdict
from dfplan.viz.guidance import draw_guidance, summary


def test_everything_is_marked_where_it_is():
    ax = Figure().add_subplot()
    settings = GuidanceSettings(
        waypoints=((7.0, 1.0), (5.0, 4.0)),
        in_order=True,
        keep_out=(Disc((3.0, 6.0), 0.8),),
        keep_in=(Box((1.0, 2.0), (4.0, 8.0)),),
    )
    draw_guidance(ax, settings)
    disc, box = ax.patches
    assert isinstance(disc, Circle)
    assert (disc.center, disc.radius) == ((6.0, 3.0), 0.8)
    assert isinstance(box, Rectangle)
    assert (box.get_xy(), box.get_width(), box.get_height()) == ((2.0, 1.0), 6.0, 3.0)
    assert [each.get_offsets().tolist() for each in ax.collections] == [[[1.0, 7.0]], [[4.0, 5.0]]]
    assert [each.get_text() for each in ax.texts] == ["1", "2"]


def test_nothing_asked_for_is_nothing_drawn():
    ax = Figure().add_subplot()
    draw_guidance(ax, GuidanceSettings())
    assert not ax.patches
    assert not ax.collections


def test_on_the_edge_is_no_negative_nothing():
    none = np.zeros((1, 0))
    verdict = Verdict(((),), np.array([-1e-9]), none.astype(bool), none.astype(np.int64), np.array([3.0]))
    assert summary(verdict, 0) == "keeps what was asked; clearance 0.00; top speed 3.0"
