"""Steps are counted by the clock, and the period is the real one."""

import numpy as np
import pytest

from dfplan.errors import UserError
from dfplan.realtime.rate import RateMeter


def steps_of(times, *, period):
    meter = RateMeter(period)
    return [meter.tick(time) for time in times], meter


def test_a_call_two_periods_later_is_two_steps_later():
    steps, meter = steps_of([0, 0.05, 0.10, 0.20, 0.25, 0.40], period=0.05)
    assert steps == [1, 1, 1, 2, 1, 3]
    assert meter.period == pytest.approx(0.05)


def test_jitter_is_no_missed_step():
    generator = np.random.default_rng(0)
    times = np.arange(400) * 0.05 + generator.uniform(0, 0.03, size=400)
    steps, meter = steps_of(times, period=0.05)
    assert sum(steps) == 400
    assert meter.period == pytest.approx(0.05, rel=0.1)


def test_one_early_call_does_not_make_the_next_late_one_two_steps():
    times = np.arange(100) * 0.05
    times[50] -= 0.4 * 0.05
    times[51] += 0.45 * 0.05
    steps, _ = steps_of(times, period=0.05)
    assert steps == [1] * 100


@pytest.mark.parametrize("real", [0.02, 0.055])
def test_a_loop_that_runs_at_another_rate_is_measured(real):
    steps, meter = steps_of(np.arange(100) * real, period=0.05)
    assert meter.period == pytest.approx(real)
    assert steps[-60:] == [1] * 60


def test_without_a_period_every_call_is_one_step():
    steps, meter = steps_of([0, 1, 100, 100.5], period=None)
    assert steps == [1, 1, 1, 1]
    assert meter.period == pytest.approx(33.5)


def test_the_last_32_calls_count():
    times = np.concatenate([[0], 100 + np.arange(33)])
    assert steps_of(times, period=None)[1].period == 1.0
    assert steps_of(times[:-1], period=None)[1].period > 1.0


def test_a_pause_between_episodes_is_no_missed_step():
    meter = RateMeter(0.05)
    assert [meter.tick(time) for time in (0, 0.05)] == [1, 1]
    meter.reset()
    assert meter.tick(60) == 1
    assert meter.period == pytest.approx(0.05)


def test_before_the_first_gap_the_period_is_the_planned_one():
    assert RateMeter(0.05).period == 0.05
    assert RateMeter(None).period == 1.0


@pytest.mark.parametrize("period", [0.0, -1.0, np.inf, np.nan])
def test_a_period_that_is_none_is_refused(period):
    with pytest.raises(UserError, match="period must be a number of seconds"):
        RateMeter(period)
