"""Statistics over tasks and runs: hand values, published formulas, and intervals that cover the truth."""

import itertools

import numpy as np
import pytest

from dfplan.evaluation.metrics import Estimate
from dfplan.evaluation.statistics import (
    interquartile_mean,
    performance_profile,
    probability_of_improvement,
    stratified_bootstrap,
    stratified_mean,
)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 2, 3, 100], 2.5),  # one cut at either end
        ([100, 3, 2, 1, 0], 2.0),  # still one: a quarter is rounded down
        ([1, 2, 3], 2.0),  # none
        (range(8), 3.5),
        ([-1000, 0, 1, 2, 3, 4, 5, 1000], 2.5),
    ],
)
def test_the_interquartile_mean_is_that_of_the_middle_half(values, expected):
    assert interquartile_mean([np.array(values, float)]) == expected


def test_the_interquartile_mean_of_uniform_values_has_its_closed_form():
    """Order statistics of n uniform values average k / (n + 1): the middle half is symmetric about 1/2."""
    values = np.arange(1, 101) / 101
    assert interquartile_mean([values[:30], values[30:]]) == pytest.approx(0.5)
    assert interquartile_mean([values**2]) == pytest.approx(np.mean((np.arange(26, 76) / 101) ** 2))


def test_runs_of_all_strata_are_cut_together():
    easy, hard = np.array([10.0, 11.0]), np.array([0.0, 1.0])
    assert interquartile_mean([easy, hard]) == 5.5  # of 0 1 10 11
    assert stratified_mean([np.array([10.0]), np.array([0.0, 0.0, 0.0])]) == 5  # a task weighs the same


def test_probability_of_improvement_is_the_published_sum_over_all_pairs():
    generator = np.random.default_rng(0)
    strata = [generator.integers(0, 5, size=(runs, 2)).astype(float) for runs in (7, 4)]
    expected = np.mean(
        [
            np.mean([(x > y) + 0.5 * (x == y) for x, y in itertools.product(stratum[:, 0], stratum[:, 1])])
            for stratum in strata
        ]
    )
    assert probability_of_improvement(strata) == pytest.approx(expected)
    swapped = probability_of_improvement([stratum[:, ::-1] for stratum in strata])
    assert swapped == pytest.approx(1 - expected)


def test_probability_of_improvement_knows_certainty_and_ties():
    better = np.array([[5.0, 1.0], [6.0, 2.0]])
    assert probability_of_improvement([better]) == 1
    assert probability_of_improvement([better, better[:, ::-1]]) == 0.5
    assert probability_of_improvement([np.full((3, 2), 7.0)]) == 0.5


def test_a_performance_profile_averages_tasks_not_runs():
    profile = performance_profile([np.array([1.0, 3.0]), np.array([2.0])], np.array([0.0, 1.0, 2.0, 3.0]))
    np.testing.assert_allclose(profile, [1, 0.75, 0.25, 0])


def test_resamples_keep_to_their_stratum():
    """Strata without spread of their own leave nothing to resample, however far they lie apart."""
    assert stratified_bootstrap([np.zeros(5), np.full(5, 100.0)], stratified_mean) == Estimate(50, 50, 50)


def test_rows_are_drawn_together():
    """Every pair differs by exactly 3, so the mean difference has no spread, whatever the scores have."""
    first = np.random.default_rng(0).normal(scale=100, size=20)
    pairs = np.stack([first + 3, first], axis=1)
    found = stratified_bootstrap([pairs], lambda strata: stratified_mean([each[:, 0] - each[:, 1] for each in strata]))
    assert (found.low, found.mean, found.high) == (pytest.approx(3), pytest.approx(3), pytest.approx(3))


def test_the_spread_of_the_bootstrap_is_that_of_the_plug_in_formula():
    """The mean of n resampled values has variance var / n; two strata of equal weight have a quarter of the sum."""
    generator = np.random.default_rng(1)
    strata = [generator.normal(size=50), generator.normal(scale=3, size=100)]
    found = stratified_bootstrap(strata, stratified_mean, num_resamples=8000)
    deviation = np.sqrt(sum(each.var() / len(each) for each in strata) / 4)
    assert found.high - found.low == pytest.approx(2 * 1.96 * deviation, rel=0.03)


def test_too_few_runs_have_no_interval():
    assert stratified_bootstrap([np.array([4.0]), np.array([2.0])], stratified_mean) == Estimate(3, None, None)
    assert stratified_bootstrap([np.array([]), np.array([2.0])], stratified_mean) == Estimate(None, None, None)
    assert stratified_bootstrap([], stratified_mean) == Estimate(None, None, None)


def test_the_interval_is_repeatable_and_covers_the_truth():
    generator, hits = np.random.default_rng(2), []
    values = [np.arange(10.0)]
    assert stratified_bootstrap(values, interquartile_mean) == stratified_bootstrap(values, interquartile_mean)
    for _ in range(60):
        strata = [generator.normal(loc=task, size=30) for task in (-1, 0, 1)]
        found = stratified_bootstrap(strata, interquartile_mean, num_resamples=150)
        hits.append(found.low <= 0 <= found.high)
    assert 51 <= sum(hits) <= 60
