"""dfplan meets the cameras of the environments through Gymnasium."""

import gymnasium
import numpy as np
import pytest

from dfplan.domains.camera import load_camera
from dfplan.domains.maze.environment import load_maze
from dfplan.errors import UserError


def test_the_camera_is_the_one_that_makes_the_observations():
    frame, info = gymnasium.make("dfplan_envs:pixelmaze-medium-v1").reset(seed=0)
    camera = load_camera("pixelmaze-medium-v1")
    np.testing.assert_array_equal(camera.render(info["position"][None])[0], frame)
    assert camera.pixels_per_unit == 8


def test_another_view_on_request():
    assert load_camera("pixelmaze-medium-v1", view="egocentric").pixels_per_unit == pytest.approx(64 / 3)


def test_a_pixel_maze_is_the_maze_with_its_reference_scores():
    for name in ("umaze", "medium", "large"):
        assert load_maze(f"pixelmaze-{name}-v1") == load_maze(f"maze2d-{name}-v1")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"env_id": "pixelmaze-tiny-v1"}, "Names look like pixelmaze-large-v1"),
        ({"env_id": "maze2d-large-v1"}, "maze2d-large-v1 has no camera"),
        ({"env_id": "maze2d-large-v1", "view": "top"}, "maze2d-large-v1 has no view 'top'"),
        ({"env_id": "pixelmaze-large-v1", "view": "side"}, "choose one of top, egocentric, mujoco"),
    ],
)
def test_what_is_not_to_be_had_is_one_line(arguments, message):
    with pytest.raises(UserError, match=message) as caught:
        load_camera(**arguments)
    assert "\n" not in str(caught.value)
