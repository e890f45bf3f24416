"""The digits are scikit-learn's, in two halves that never change."""

import builtins

import numpy as np
import pytest

from dfplan.data.digits import as_stored, load_digit_halves
from dfplan.errors import UserError

datasets = pytest.importorskip("sklearn.datasets")


def test_the_halves_are_all_digits_once():
    first, second = load_digit_halves()
    images, labels = datasets.load_digits().images, datasets.load_digits().target
    both = np.concatenate([as_stored(first.images), as_stored(second.images)])
    assert (len(first.images), len(second.images)) == (898, 899)
    assert both.shape == images.shape
    assert sorted(map(bytes, both.astype(np.uint8))) == sorted(map(bytes, images.astype(np.uint8)))
    assert np.bincount(np.concatenate([first.labels, second.labels])).tolist() == np.bincount(labels).tolist()
    assert min(np.bincount(first.labels)) > 70
    again, _ = load_digit_halves()
    assert np.array_equal(again.images, first.images)


def test_a_batch_is_a_function_of_its_generator():
    digits, _ = load_digit_halves()
    one, other = (digits.sample(5, np.random.default_rng(3))["images"] for _ in range(2))
    assert one.shape == (5, 1, 8, 8)
    assert one.dtype == np.float32
    assert np.abs(one).max() <= 1
    assert np.array_equal(one, other)


def test_rounding_returns_what_the_data_hold():
    assert as_stored(np.array([-3, -1, 0.01, 1, 2.0])).tolist() == [0, 0, 8, 16, 16]


def test_without_scikit_learn_one_line_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def without(name, *arguments, **options):
        if name.startswith("sklearn"):
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match=r"pip install 'dfplan\[images\]'"):
        load_digit_halves()
