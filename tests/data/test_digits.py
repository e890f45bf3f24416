"""The digits are scikit-learn's, in two halves that never change."""

import from_benchmarks
import numpy as np
import pytest

datasets = pytest.importorskip("sklearn.datasets")
digits = from_benchmarks.module("digits", of="image_ddpm")


def test_the_halves_are_all_digits_once():
    first, second = digits.load_digit_halves()
    images, labels = datasets.load_digits().images, datasets.load_digits().target
    both = np.concatenate([digits.as_stored(first.images), digits.as_stored(second.images)])
    assert (len(first.images), len(second.images)) == (898, 899)
    assert both.shape == images.shape
    assert sorted(map(bytes, both.astype(np.uint8))) == sorted(map(bytes, images.astype(np.uint8)))
    assert np.bincount(np.concatenate([first.labels, second.labels])).tolist() == np.bincount(labels).tolist()
    assert min(np.bincount(first.labels)) > 70
    again, _ = digits.load_digit_halves()
    assert np.array_equal(again.images, first.images)


def test_a_batch_is_a_function_of_its_generator():
    learned, _ = digits.load_digit_halves()
    one, other = (learned.sample(5, np.random.default_rng(3))["images"] for _ in range(2))
    assert one.shape == (5, 1, 8, 8)
    assert one.dtype == np.float32
    assert np.abs(one).max() <= 1
    assert np.array_equal(one, other)


def test_rounding_returns_what_the_data_hold():
    assert digits.as_stored(np.array([-3, -1, 0.01, 1, 2.0])).tolist() == [0, 0, 8, 16, 16]
