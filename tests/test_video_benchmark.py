"""The benchmark of videos of several things finds them, and measures what it says."""

import sys

import numpy as np
import pytest
from from_benchmarks import module

from dfplan_envs.discs_picture import draw

scene = module("scene", of="video")


@pytest.fixture
def run():
    """The script, which others have one of the same name of."""
    sys.modules.pop("run", None)
    yield module("run", of="video")
    sys.modules.pop("run", None)


def test_drives_are_those_of_their_seeds_and_go_on_from_what_is_shown():
    drives = scene.drive(seeds=range(7, 9), num_steps=24, steps_per_point=2, history_frames=2)
    assert drives.history.shape == (2, 2, 8)
    assert drives.actions.shape == (2, 24, 2)
    assert drives.places.shape == (2, 12, 8)
    again = scene.drive(seeds=range(8, 9), num_steps=24, steps_per_point=1, history_frames=2)
    np.testing.assert_array_equal(again.places[0, 1::2], drives.places[1])
    np.testing.assert_array_equal(again.history[:, 0], drives.history[:, 1])
    assert np.linalg.norm(again.places[0, 0] - again.history[1, 0]) < 0.5


def test_discs_are_found_where_they_are_and_one_that_is_hidden_in_the_middle():
    places = scene.drive(seeds=range(1), num_steps=200, steps_per_point=10, history_frames=1).places[0]
    error = np.linalg.norm(scene.find(draw(places)) - places.reshape(-1, 4, 2), axis=-1)
    assert np.quantile(error, 0.9) < 0.02
    away = np.array([[5.0, 5.0, -0.6, -0.45, 0.6, -0.45, 0.0, 0.65]])
    np.testing.assert_allclose(scene.find(draw(away))[0, 0], 0, atol=0.01)


@pytest.mark.slow
def test_the_features_come_of_knowing_where_discs_are():
    looker, error = scene.train_looker(seed=0, num_steps=200)
    assert error < 0.15
    places = scene.drive(seeds=range(1), num_steps=20, steps_per_point=10, history_frames=1).places[0]
    features = module("prediction").features(looker, draw(places[[0, 1, 0]]), chunk=2)
    np.testing.assert_allclose(features[0], features[2], atol=1e-4)
    assert np.linalg.norm(features[0] - features[1]) > 0.01


def test_a_perfect_prediction_has_no_error_and_one_of_a_disc_off_its_own(run):
    shown = run.Shown.of(scene.Looker().eval().requires_grad_(False), first=0, count=3)
    perfect = run.told(shown.real, shown, times=10)
    assert perfect["pixel_error"] == 0
    assert perfect["position_error"] < 0.01
    assert perfect["frechet"] == pytest.approx(0, abs=1e-4)
    places = shown.drives.places.copy()
    places[..., 2] += 0.1
    off = run.told(run.pictures(places), shown, times=10)
    np.testing.assert_allclose(off["position_error_of_each"], [0, 0.1, 0, 0], atol=0.02)
    assert off["frechet"] > perfect["frechet"]


def test_figures_are_means_of_trainings_within_the_widest_interval(run):
    def trained(method, mean, low, high):
        end = {"frechet": mean, "frechet_low": low, "frechet_high": high, "position_error": mean / 10}
        return {"method": method, "lengths": [{}, end]}

    found = run.figures([trained("next-token", 1, 0.5, 2), trained("next-token", 3, 1, 5), trained("forcing", 1, 0, 2)])
    assert found["teacher_forcing.frechet"] == {"mean": 2, "low": 0.5, "high": 5, "n": 2}
    assert found["teacher_forcing.position_error"] == pytest.approx(0.2)
    assert found["forcing.frechet"]["n"] == 1
    assert "full_sequence.frechet" not in found
