"""The Fréchet distance against closed forms, and what must not change it."""

import from_benchmarks
import numpy as np
import pytest

frechet = from_benchmarks.module("frechet")
frechet_distance, gaussian_frechet_distance = frechet.frechet_distance, frechet.gaussian_frechet_distance

RANDOM = np.random.default_rng(0)


def covariance(dim: int, *, rank: int | None = None) -> np.ndarray:
    factor = RANDOM.standard_normal((dim, rank or dim))
    return factor @ factor.T


@pytest.mark.parametrize("dim", [1, 5])
def test_gaussians_of_commuting_covariances_have_a_closed_form(dim):
    rotation = np.linalg.qr(RANDOM.standard_normal((dim, dim)))[0]
    one, other = RANDOM.uniform(0.1, 4, (2, dim))
    mean, other_mean = RANDOM.standard_normal((2, dim))
    expected = np.square(mean - other_mean).sum() + np.square(np.sqrt(one) - np.sqrt(other)).sum()
    found = gaussian_frechet_distance(mean, (rotation * one) @ rotation.T, other_mean, (rotation * other) @ rotation.T)
    assert found == pytest.approx(expected, rel=1e-9)


def test_two_gaussians_in_the_plane_have_a_closed_form():
    # tr sqrt(M) = sqrt(tr M + 2 sqrt(det M)) for a 2 x 2 product M of positive matrices that need not commute.
    one, other = covariance(2), covariance(2)
    product = one @ other
    root = np.sqrt(np.trace(product) + 2 * np.sqrt(np.linalg.det(product)))
    expected = np.trace(one) + np.trace(other) - 2 * root
    assert gaussian_frechet_distance(np.zeros(2), one, np.zeros(2), other) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("rank", [None, 3])
def test_it_is_symmetric_and_zero_to_itself_also_where_features_are_dependent(rank):
    one, other, mean = covariance(6, rank=rank), covariance(6), RANDOM.standard_normal(6)
    there = gaussian_frechet_distance(mean, one, np.zeros(6), other)
    assert there == pytest.approx(gaussian_frechet_distance(np.zeros(6), other, mean, one), rel=1e-6)
    assert there > 0
    assert gaussian_frechet_distance(mean, one, mean, one) == pytest.approx(0, abs=1e-5)


def test_of_a_set_to_itself_moved_it_is_the_squared_way_whatever_the_rotation():
    features, way = RANDOM.standard_normal((40, 4)), np.array([1.0, -2.0, 0.5, 0.0])
    assert frechet_distance(features, features + way) == pytest.approx(way @ way, rel=1e-9)
    rotation = np.linalg.qr(RANDOM.standard_normal((4, 4)))[0]
    others = 2 * RANDOM.standard_normal((50, 4)) + 1
    turned = frechet_distance(features @ rotation, others @ rotation)
    assert turned == pytest.approx(frechet_distance(features, others), rel=1e-9)


def test_many_samples_come_to_the_distance_of_their_distributions():
    one, other = RANDOM.standard_normal((100_000, 3)), 3 * RANDOM.standard_normal((100_000, 3)) + 1
    assert frechet_distance(one.astype(np.float32), other) == pytest.approx(3 + 3 * (3 - 1) ** 2, rel=0.02)


@pytest.mark.parametrize("shape", [(1, 3), (5, 4), (3,)])
def test_what_has_no_covariance_or_other_features_is_refused(shape):
    with pytest.raises(ValueError, match="2 vectors"):
        frechet_distance(np.zeros((5, 3)), np.zeros(shape))
