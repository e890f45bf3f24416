"""MuJoCo's own picture of a maze: other pixels, the same places. Each needs OpenGL in a process of its own."""

import os
import subprocess
import sys

import pytest

_LOOK = """
import numpy as np
from dfplan_envs import build_maze
from dfplan_envs.camera import build_camera

maze = build_maze("large")
try:
    camera = build_camera(maze, view="mujoco")
except RuntimeError as error:
    raise SystemExit(f"no OpenGL: {error}")
places = np.array([(0.8, 0.8), (2.8, 5.8), (6.8, 8.8)])
frames = camera.render(places).astype(float)
assert frames.shape == (3, 64, 64, 3)
difference = np.abs(frames - np.median(frames, axis=0)).sum(axis=-1)  # the middle of three is the empty maze
for found, place in zip(difference, places):
    row, column = np.argwhere(found > found.max() / 3).mean(axis=0) + 0.5
    seen = camera.to_positions(np.array([row, column]))
    assert np.abs(seen - place).max() < 0.2, (seen, place)
print("seen")
"""


def look(gl):
    return subprocess.run(
        [sys.executable, "-c", _LOOK],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"MUJOCO_GL": gl, "DISPLAY": ""},
    )


@pytest.mark.slow
def test_the_ball_is_where_the_other_view_has_it():
    answer = look("egl")
    if "no OpenGL" in answer.stderr or "import mujoco" in answer.stderr:
        pytest.skip("no EGL on this machine")
    assert answer.stdout == "seen\n", answer.stderr


@pytest.mark.slow
def test_without_opengl_one_line_says_what_to_install():
    answer = look("disable")
    assert answer.returncode == 1
    assert "install EGL or OSMesa" in answer.stderr
    assert "MUJOCO_GL=egl" in answer.stderr
