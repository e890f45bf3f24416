"""Probes and CKNNA against closed cases and direct formulas."""

import math

import from_benchmarks
import numpy as np
import pytest

probes = from_benchmarks.module("representations")
cknna, linear_probe, nearest_neighbour_probe = probes.cknna, probes.linear_probe, probes.nearest_neighbour_probe


@pytest.fixture
def generator():
    return np.random.default_rng(0)


def split(features, targets):
    half = len(features) // 2
    return (features[:half], targets[:half]), {"held_out": features[half:], "held_out_targets": targets[half:]}


def test_a_linear_probe_reads_an_affine_map_exactly(generator):
    features = generator.normal(size=(200, 5))
    targets = features @ generator.normal(size=(5, 2)) * 3 + [4.0, -7.0]
    (fit, fit_targets), held_out = split(features, targets)
    probe = linear_probe(fit, fit_targets, **held_out)
    assert probe.r2 == pytest.approx(1.0, abs=1e-9)
    assert probe.p95 < 1e-9


def test_a_linear_probe_of_noise_reads_no_better_than_the_mean(generator):
    (fit, fit_targets), held_out = split(generator.normal(size=(2000, 3)), generator.normal(size=(2000, 2)))
    probe = linear_probe(fit, fit_targets, **held_out)
    assert abs(probe.r2) < 0.02
    assert probe.median == pytest.approx(math.sqrt(2 * math.log(2)), rel=0.1)  # of a Rayleigh distribution


def test_a_linear_probe_cannot_read_a_square_where_neighbours_can(generator):
    features = generator.uniform(-1, 1, size=(2000, 1))
    (fit, fit_targets), held_out = split(features, features**2)
    assert linear_probe(fit, fit_targets, **held_out).r2 < 0.05
    assert nearest_neighbour_probe(fit, fit_targets, **held_out).r2 > 0.99


def test_a_feature_that_never_varies_does_no_harm(generator):
    features = np.concatenate([generator.normal(size=(100, 2)), np.ones((100, 1))], axis=1)
    (fit, fit_targets), held_out = split(features, features[:, :2])
    assert linear_probe(fit, fit_targets, **held_out).p95 < 1e-6


def test_the_mean_of_the_three_nearest():
    features = np.array([[0.0], [1.0], [2.0], [10.0]])
    targets = np.array([[0.0, 3.0], [6.0, 3.0], [0.0, 3.0], [100.0, 100.0]])
    probe = nearest_neighbour_probe(
        features, targets, held_out=np.array([[1.1], [0.5]]), held_out_targets=np.array([[2.0, 3.0], [2.0, 7.0]])
    )
    np.testing.assert_allclose(probe.errors, [0.0, 4.0], atol=1e-9)


def direct_cknna(one, other, k):
    """The formula of the paper, sample by sample."""

    def prepared(features):
        centred = [row - features.mean(axis=0) for row in features]
        return [row / math.sqrt(float(row @ row)) for row in centred]

    def nearest(rows, i):
        others = [j for j in range(len(rows)) if j != i]
        return set(sorted(others, key=lambda j: -float(rows[i] @ rows[j]))[:k])

    def aligned(first, second):
        total, n = 0.0, len(first)
        for i in range(n):
            mutual = nearest(first, i) & nearest(second, i)
            first_mean = sum(float(first[i] @ first[m]) for m in range(n)) / n
            second_mean = sum(float(second[i] @ second[m]) for m in range(n)) / n
            for j in mutual:
                total += (float(first[i] @ first[j]) - first_mean) * (float(second[i] @ second[j]) - second_mean)
        return total

    first, second = prepared(one), prepared(other)
    return aligned(first, second) / math.sqrt(aligned(first, first) * aligned(second, second))


@pytest.mark.parametrize("k", [1, 4, 11])
def test_cknna_is_its_formula(generator, k):
    one = generator.normal(size=(24, 6))
    other = one @ generator.normal(size=(6, 3)) + generator.normal(size=(24, 3))
    assert cknna(one, other, k=k) == pytest.approx(direct_cknna(one, other, k), abs=1e-12)


def test_cknna_does_not_see_rotation_scale_and_shift(generator):
    one = generator.normal(size=(60, 5))
    rotation, _ = np.linalg.qr(generator.normal(size=(5, 5)))
    assert cknna(one, 7 * one @ rotation + 3, k=10) == pytest.approx(1.0)


def test_cknna_of_what_is_unrelated_is_low(generator):
    one, other = generator.normal(size=(400, 5)), generator.normal(size=(400, 5))
    assert abs(cknna(one, other, k=10)) < 0.06
    assert cknna(one, one + 0.2 * other, k=10) > 0.5
