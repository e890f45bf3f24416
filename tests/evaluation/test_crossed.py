"""Truths of the interval over trainings and episodes: tables, closed forms, and what it covers."""

import from_benchmarks
import numpy as np
import pytest

crossed = from_benchmarks.module("crossed")
crossed_interval, t_quantile_95 = crossed.crossed_interval, crossed.t_quantile_95


@pytest.mark.parametrize(
    ("degrees", "expected"), [(1, 12.7062), (2, 4.302653), (4, 2.776445), (10, 2.228139), (1000, 1.962339)]
)
def test_the_t_quantile_is_that_of_the_tables(degrees, expected):
    assert t_quantile_95(degrees) == pytest.approx(expected, rel=1e-5)


def test_seeds_and_episodes_that_only_add_give_the_closed_form():
    """Rows 1 3 and 3 5: both mean squares are 4, no rest; variance 8 / 4, and 8² / (4² + 4²) = 2 degrees of freedom."""
    estimate = crossed_interval(np.array([[1.0, 3.0], [3.0, 5.0]]))
    assert estimate.mean == 3
    assert estimate.high == pytest.approx(3 + 4.302653 * np.sqrt(2), rel=1e-5)
    assert estimate.low == pytest.approx(3 - 4.302653 * np.sqrt(2), rel=1e-5)


def test_where_only_one_of_the_two_varies_the_interval_is_the_ordinary_t_interval():
    values = np.random.default_rng(0).normal(size=5)
    expected = t_quantile_95(4) * values.std(ddof=1) / np.sqrt(5)
    for table in (np.tile(values, (3, 1)), np.tile(values[:, None], (1, 30))):
        estimate = crossed_interval(table)
        assert estimate.mean == pytest.approx(values.mean())
        assert estimate.high - estimate.low == pytest.approx(2 * expected)


def test_seeds_that_all_agree_give_a_point_and_a_single_seed_is_refused():
    estimate = crossed_interval(np.full((3, 4), 7.0))
    assert (estimate.low, estimate.mean, estimate.high) == (7, 7, 7)
    with pytest.raises(ValueError, match="at least 2 of each"):
        crossed_interval(np.zeros((1, 4)))


@pytest.mark.parametrize(("of_seeds", "of_episodes"), [(0.0, 1.0), (0.3, 1.0), (1.0, 0.3), (0.0, 0.0)])
def test_the_interval_over_seeds_and_episodes_covers_the_truth(of_seeds, of_episodes):
    generator, hits = np.random.default_rng(1), []
    for _ in range(400):
        table = of_seeds * generator.normal(size=(3, 1)) + of_episodes * generator.normal(size=(1, 50))
        estimate = crossed_interval(table + 0.5 * generator.normal(size=(3, 50)))
        hits.append(estimate.low <= 0 <= estimate.high)
    assert np.mean(hits) > 0.92
