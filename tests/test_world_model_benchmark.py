"""The benchmark of world models shows real drives, and measures what it says."""

import importlib
import sys
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from dfplan.domains.maze.environment import load_maze

FOLDER = Path(__file__).parents[1] / "benchmarks" / "world_model"
SCRIPTS = ("run", "report", "videos", "records")


@pytest.fixture
def script(monkeypatch):
    """A function that imports a script of the benchmark."""
    for folder in (FOLDER.parent, FOLDER):
        monkeypatch.syspath_prepend(str(folder))
    for name in SCRIPTS:
        sys.modules.pop(name, None)
    yield importlib.import_module
    for name in SCRIPTS:
        sys.modules.pop(name, None)


def test_the_real_maze_goes_where_the_video_shows_it(script):
    shown = script("videos").drive(
        "pixelmaze-umaze-v1", seeds=range(3), num_steps=64, steps_per_point=8, history_frames=3
    )
    assert shown.history.shape == (3, 3, 2)
    assert shown.positions.shape == (3, 8, 2)
    env: Any = gymnasium.make("dfplan_envs:maze2d-umaze-v1").unwrapped
    for row in range(3):
        speed = (shown.history[-1, row] - shown.history[-2, row]) / 0.01  # of the step that led there
        env.ball.set_state(*shown.history[-1, row], *speed)
        for step, action in enumerate(shown.actions[row], start=1):
            state = env.ball.step(*action)
            if step % 8 == 0:
                np.testing.assert_allclose(state[:2], shown.positions[row, step // 8 - 1], atol=0.02)


@pytest.mark.slow
def test_the_classifier_tells_cells_apart_and_its_features_tell_frames_apart(script):
    videos = script("videos")
    classifier, accuracy = videos.train_classifier("pixelmaze-umaze-v1", seed=0, num_steps=60)
    assert accuracy > 0.8  # a seventh by chance
    corners = script("run").load_camera("pixelmaze-umaze-v1").render(np.array([[1.0, 1.0], [3.0, 1.0], [1.0, 1.0]]))
    features = script("prediction").features(classifier, corners, chunk=2)
    np.testing.assert_allclose(features[0], features[2], atol=1e-5)
    assert np.linalg.norm(features[0] - features[1]) > 1
    assert load_maze("pixelmaze-umaze-v1").walls.sum() == 25 - 7


def test_a_perfect_prediction_has_no_error_and_a_shifted_one_its_shift(script):
    run = script("run")
    classifier, _ = script("videos").train_classifier("pixelmaze-umaze-v1", seed=0, num_steps=1)
    camera = run.load_camera("pixelmaze-umaze-v1")
    scene = run.Scene("pixelmaze-umaze-v1", camera, classifier, length=16, points=2)
    shown = scene.drive(first=0, count=4)

    class Shifted:
        def __init__(self, by):
            self.by = by

        def roll_out(self, history, actions, *, generators):
            np.testing.assert_array_equal(history[-1], camera.render(shown.history[-1]))
            return np.concatenate([shown.positions + self.by, np.zeros_like(shown.positions)], axis=2)

        def draw(self, observations):
            return camera.render(observations[..., :2])

    perfect, frames = run.measure(Shifted(0.0), shown, scene=scene, lengths=run.LENGTHS)
    assert frames.shape == (4, 20, 64, 64, 3)
    assert [each["times"] for each in perfect] == list(run.LENGTHS)
    for each in perfect:
        assert (each["position_error"], each["pixel_error"]) == (0, 0)
        assert each["frechet"] == pytest.approx(0, abs=1e-4)
    shifted, _ = run.measure(Shifted([0.3, 0.4]), shown, scene=scene, lengths=(1, 10))
    for each in shifted:
        assert each["position_error"] == pytest.approx(0.5)
        assert each["pixel_error"] > 0
    assert shifted[1]["frechet"] > perfect[-1]["frechet"]
