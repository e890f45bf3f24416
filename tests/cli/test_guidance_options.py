"""What is asked for on the command line is what guides, and mistakes say how to mend them."""

import numpy as np
import pytest

from dfplan.cli.build import build_guidance
from dfplan.cli.compose import compose_options, readable_errors, reading, to_schema
from dfplan.errors import UserError
from dfplan.planner import GuidanceSettings
from dfplan.planner.objectives import Box, Disc


def guidance(*words):
    words = [f"planner.guidance.{word}" for word in words]
    with readable_errors("plan"), reading(None):
        config = to_schema("plan", compose_options("plan", words))
    return build_guidance(config.planner.guidance)


def test_the_shipped_default_is_that_of_the_library_and_guides_nothing():
    assert guidance() == GuidanceSettings()
    assert guidance().objective() is None


def test_places_become_points_discs_and_boxes():
    built = guidance("waypoints=[[7,1],[5,4.5]]", "in_order=true", "keep_out=[[4,5,0.8],[3,1,2,4]]", "keep_in=1,1,9,9")
    assert built.waypoints == ((7.0, 1.0), (5.0, 4.5))
    assert built.in_order
    assert built.keep_out == (Disc((4, 5), 0.8), Box((2, 1), (3, 4)))
    assert built.keep_in == (Box((1, 1), (9, 9)),)
    assert built.objective() is None  # kept without gradients
    assert guidance("keep_out=[[4,5,0.8]]", "constraints=3").objective() is not None


@pytest.mark.parametrize("word", ["reward=1", "distance=1", "time=1", "stay=1", "smoothness=1"])
def test_every_weight_guides(word):
    assert guidance(word).objective() is not None


def test_a_distance_field_is_read_from_its_file(tmp_path):
    np.savez(tmp_path / "field.npz", distances=np.ones((3, 3)), origin=[0, 0], cell=0.5)
    built = guidance(f"distance_field={tmp_path / 'field.npz'}", "progress=2")
    assert built.distance_field is not None
    assert built.objective() is not None


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["waypoints=[[1,2,3]]"], r"waypoints must be rows of 2 finite numbers, for instance .*=\[\[1,1\],\[1,1\]\]"),
        (["waypoints=7"], r"waypoints must be rows of 2 finite numbers.*got the row \[7\]"),
        (["keep_out=[[1,1,1],3]"], r"keep_out must be rows of 3 or 4 finite numbers.*got the row 3"),
        (["keep_out=[[1,1,word]]"], r"keep_out must be rows.*got the row \[1, 1, 'word'\]"),
        (["keep_out=[[1,1,0]]"], "a disc needs a radius above 0"),
        (["keep_in=[[1,1,1,2]]"], "a box needs its low corner below its high one"),
        (["progress=1"], "guidance.progress needs a map: give guidance.distance_field"),
        (["distance_field=none.npz"], "no distance field at none"),
        (["lowest_level=0.9", "highest_level=0.1"], "must be in order between 0 and 1; got 0.9 and 0.1"),
        (["max_speed=0"], "max_speed must be above 0"),
    ],
)
def test_mistakes_are_refused_with_what_is_allowed(words, complaint):
    with pytest.raises(UserError, match=complaint):
        guidance(*words)
