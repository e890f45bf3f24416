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


@pytest.mark.parametrize("rate", [5, 10, 20, 50, 200])
@pytest.mark.parametrize("stall", [0.1, 0.6, 2.0, 30.0])
@pytest.mark.parametrize("between", [0.0, 1e-6, 1e-3, 5e-3])
def test_after_a_stall_and_a_burst_the_period_is_soon_right_again(rate, stall, between):
    """A loop that makes up for the ticks that it missed, as fast as it can or nearly so."""
    period = 1 / rate
    burst = np.full(min(int(stall / period), 400), min(between, period / 2))
    gaps = np.concatenate([np.full(10, period), [stall], burst, np.full(3 * rate, period)])
    steps, meter = steps_of(np.cumsum(gaps), period=period)
    assert meter.period == pytest.approx(period)
    assert steps[-rate:] == [1] * rate


@pytest.mark.parametrize("gaps", [[0.0] * 64, [1e-9] * 5000, [1e-3] * 3000, [0.004, 0.09] * 30, [-1.0] * 10])
def test_whatever_came_before_two_seconds_of_good_ticks_put_it_right(gaps):
    steps, meter = steps_of(np.cumsum([*gaps, *[0.05] * 40]), period=0.05)
    assert meter.period == pytest.approx(0.05)
    assert steps[-20:] == [1] * 20


@pytest.mark.parametrize("time", [np.nan, np.inf, -np.inf, 1e308, -1e308])
@pytest.mark.parametrize("period", [0.05, None])
def test_a_time_that_is_none_begins_anew(time, period):
    times = np.arange(100) * 0.05
    times[50] = time
    steps, meter = steps_of(times, period=period)
    assert max(steps) <= 10_000
    assert steps[-40:] == [1] * 40
    assert meter.period == pytest.approx(0.05)
