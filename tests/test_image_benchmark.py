"""The measure of the image benchmark: real digits pass its bars; copies, one digit alone, and noise do not."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")
FOLDER = Path(__file__).parents[1] / "benchmarks" / "image_ddpm"


@pytest.fixture(scope="module")
def script():
    sys.path.insert(0, str(FOLDER))
    try:
        yield importlib.import_module("run")
    finally:
        sys.path.remove(str(FOLDER))
        sys.modules.pop("run", None)


def test_entropy_of_ten_equal_shares_and_of_one(script):
    assert script.entropy(np.arange(10)) == pytest.approx(np.log2(10))
    assert script.entropy(np.full(7, 3)) == 0


def test_nearest_distances_are_those_of_a_loop(script):
    ours, theirs = np.random.default_rng(0).integers(0, 17, (2, 6, 8, 8)).astype(float)
    expected = [min(np.linalg.norm((one - other) / 16) for other in theirs) for one in ours]
    assert script.nearest_distances(ours, theirs) == pytest.approx(expected, abs=1e-6)


@pytest.mark.slow
def test_real_digits_pass_and_what_is_no_model_of_them_does_not(script):
    train, real = script.load_digit_halves()
    train_pixels, real_pixels = script.as_stored(train.images), script.as_stored(real.images)

    def passed(pixels):
        return script.passes(script.measure(pixels, train=train, real=real, seed=0))

    assert all(passed(real_pixels).values())
    copies = passed(train_pixels)
    assert (copies["frechet"], copies["entropy"]) == (True, True)
    assert not copies["no_copies_median"]
    assert not copies["no_copies_p1"]
    a_few_copies = passed(np.concatenate([real_pixels[20:], train_pixels[:20]]))
    assert a_few_copies["no_copies_p1"] is False
    assert not passed(np.concatenate([real_pixels[real.labels == 3]] * 9))["entropy"]
    noise = np.random.default_rng(1).standard_normal(real_pixels.shape)
    assert not passed(script.as_stored(noise))["frechet"]
