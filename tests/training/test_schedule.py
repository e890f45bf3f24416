"""The learning-rate schedule: where it begins, peaks and ends."""

from itertools import pairwise

import pytest

from dfplan.training.schedule import learning_rate_multiplier


def curve(decay, *, num_steps=100, warmup_steps=10, decay_start=0.5):
    values = {"num_steps": num_steps, "warmup_steps": warmup_steps, "decay": decay, "decay_start": decay_start}
    return [learning_rate_multiplier(step, **values) for step in range(num_steps + 1)]


@pytest.mark.parametrize("decay", ["linear", "cosine", "constant"])
def test_warm_up_is_a_line_that_never_touches_zero(decay):
    assert curve(decay)[:11] == pytest.approx([(step + 1) / 11 for step in range(11)])


@pytest.mark.parametrize("decay", ["linear", "cosine"])
def test_decay_falls_from_one_at_its_start_to_zero_at_the_end(decay):
    values = curve(decay)
    assert values[10:51] == pytest.approx([1.0] * 41)
    assert values[75] == pytest.approx(0.5)
    assert values[100] == pytest.approx(0.0)
    assert all(before > after > 0 for before, after in pairwise(values[50:100]))


def test_constant_stays():
    assert curve("constant")[10:] == [1.0] * 91


@pytest.mark.parametrize("decay", ["linear", "cosine"])
def test_a_decay_that_starts_at_the_end_never_happens(decay):
    assert curve(decay, decay_start=1.0)[10:] == [1.0] * 91


def test_an_unknown_decay_is_named():
    with pytest.raises(ValueError, match="got 'exponential'"):
        learning_rate_multiplier(0, num_steps=1, warmup_steps=0, decay="exponential", decay_start=0)
