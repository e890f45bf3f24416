"""Truths of the scores: worked examples, published numbers, and the coverage of the intervals."""

import numpy as np
import pytest

from dfplan.evaluation.metrics import (
    mean_interval,
    score_episodes,
    summarize,
    wilson_interval,
)


def _scores(at_goal, *, reference_min=0.0, reference_max=100.0):
    at_goal = np.array(at_goal, dtype=bool)
    return score_episodes(
        at_goal.astype(np.float32), at_goal=at_goal, reference_min=reference_min, reference_max=reference_max
    )


def test_worked_example_of_every_score():
    scores = _scores([[0, 1, 1, 0, 0], [0, 0, 0, 0, 0], [1, 0, 1, 0, 1]])
    assert scores.raw_return.tolist() == [2, 0, 3]
    assert scores.normalized_return.tolist() == [2, 0, 3]
    assert scores.latched_normalized_return.tolist() == [4, 0, 5]  # the touching step included
    assert scores.success.tolist() == [True, False, True]
    np.testing.assert_array_equal(scores.first_touch_step, [2, np.nan, 1])


@pytest.mark.parametrize(
    ("steps", "reference_min", "reference_max", "expected"),
    [(300, 23.85, 161.86, 200.1), (600, 13.13, 277.39, 222.1), (800, 6.7, 273.99, 296.8)],
)
def test_standing_in_the_goal_from_the_first_step_gives_the_known_ceiling(
    steps, reference_min, reference_max, expected
):
    scores = _scores(np.ones((1, steps)), reference_min=reference_min, reference_max=reference_max)
    assert scores.normalized_return[0] == pytest.approx(expected, abs=0.05)
    assert scores.latched_normalized_return[0] == scores.normalized_return[0]


def test_a_dense_reward_latches_to_one_a_step():
    rewards = np.array([[0.2, 0.9, 0.5]], np.float32)
    scores = score_episodes(rewards, at_goal=rewards > 0.6, reference_min=0, reference_max=1)
    assert scores.raw_return[0] == pytest.approx(1.6)
    assert scores.latched_normalized_return[0] == pytest.approx(220)


def test_first_touch_averages_only_the_episodes_that_touched():
    summary = summarize(_scores([[0, 1], [0, 0], [0, 1]]))
    assert summary["first_touch_step"].mean == 2
    assert summary["success_rate"].mean == pytest.approx(2 / 3)
    nobody = summarize(_scores([[0, 0], [0, 0]]))
    assert nobody["first_touch_step"].mean is None


def test_shapes_that_do_not_agree_are_refused():
    with pytest.raises(ValueError, match="must both have shape"):
        score_episodes(np.zeros((2, 3)), at_goal=np.zeros((2, 4), bool), reference_min=0, reference_max=1)


def test_wilson_interval_equals_published_values():
    # Newcombe (1998), table I: 81 of 263, method 3
    some = wilson_interval(np.arange(263) < 81)
    assert (some.low, some.high) == (pytest.approx(0.2553, abs=5e-5), pytest.approx(0.3662, abs=5e-5))
    none_of_20 = wilson_interval(np.zeros(20, bool))
    assert (none_of_20.low, none_of_20.high) == (0, pytest.approx(0.1611, abs=5e-5))


def test_bootstrap_interval_covers_the_truth_about_95_times_in_100():
    generator = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        interval = mean_interval(generator.exponential(size=100), num_resamples=300)
        covered += interval.low <= 1.0 <= interval.high
    assert 180 <= covered <= 198


def test_bootstrap_is_repeatable_and_honest_about_too_few_values():
    values = np.random.default_rng(1).normal(size=50)
    assert mean_interval(values) == mean_interval(values)
    one = mean_interval(np.array([3.0]))
    assert (one.mean, one.low, one.high) == (3.0, None, None)
    assert mean_interval(np.array([])).mean is None
