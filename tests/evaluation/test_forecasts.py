"""Scores of forecasts against what can be worked out by hand."""

import numpy as np
import pytest

from dfplan.evaluation.forecasts import RIVALS, crps, crps_sum, displacement_errors, score

GENERATOR = np.random.default_rng(0)
TRUTH = GENERATOR.normal(size=(3, 4, 2)) + 5.0


def test_the_truth_itself_scores_nothing():
    futures = np.repeat(TRUTH[:, None], 7, axis=1)
    assert score(futures, TRUTH) == {"crps": 0.0, "crps_sum": 0.0, "ade": 0.0, "fde": 0.0}


def test_one_future_scores_its_relative_error():
    futures = TRUTH[:, None] + 0.5
    assert crps(futures, TRUTH) == pytest.approx(0.5 * TRUTH.size / np.abs(TRUTH).sum())
    assert crps_sum(futures, TRUTH) == pytest.approx(1.0 * 12 / np.abs(TRUTH.sum(axis=-1)).sum())


def test_errors_that_cancel_are_seen_series_by_series_alone():
    futures = TRUTH[:, None] + np.array([0.5, -0.5])
    assert crps_sum(futures, TRUTH) == pytest.approx(0.0, abs=1e-12)
    assert crps(futures, TRUTH) > 0.05


def test_of_a_gaussian_it_is_what_is_known_in_closed_form():
    """The score of N(0, 1) at 0 is (√2 - 1) / √π (Gneiting and Raftery 2007, eq. 21); quantiles are 19 of all."""
    futures = 10 + GENERATOR.normal(size=(1, 200_000, 1, 1))
    found = crps(futures, np.full((1, 1, 1), 10.0)) * 10
    assert found == pytest.approx((np.sqrt(2) - 1) / np.sqrt(np.pi), rel=0.1)


def test_displacements_are_of_the_best_future_each():
    truth = np.zeros((1, 2, 2))
    futures = np.array([[[[3.0, 4.0], [0.0, 0.0]], [[0.0, 1.0], [0.0, 1.0]]]])
    mean, last = displacement_errors(futures, truth)
    np.testing.assert_allclose([mean[0], last[0]], [1.0, 0.0])


@pytest.mark.parametrize("name", RIVALS)
def test_rivals_go_on_from_where_a_history_ends(name):
    history = np.cumsum(np.random.default_rng(2).normal(size=(50, 3)), axis=0)
    futures = RIVALS[name](history, num_steps=6, num_futures=400, generator=np.random.default_rng(3))
    assert futures.shape[1:] == (6, 3)
    change = {"random walk": 0.0, "last value": 0.0, "constant velocity": history[-1] - history[-2]}[name]
    np.testing.assert_allclose(futures[:, 0].mean(axis=0), history[-1] + change, atol=0.15)
