"""Losses between representations against direct formulas and closed cases."""

import math

import pytest
import torch

from dfplan.training.representation_losses import negative_cosine, nt_xent, vicreg


@pytest.fixture
def pair():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(6, 4, generator=generator).double(), torch.randn(6, 4, generator=generator).double()


def test_the_negative_cosine_of_the_same_is_minus_one_and_of_opposites_one(pair):
    one, other = pair
    assert float(negative_cosine(one, 3 * one)) == pytest.approx(-1)
    assert float(negative_cosine(one, -one)) == pytest.approx(1)
    direct = -sum(float(a @ b) / math.sqrt(float(a @ a) * float(b @ b)) for a, b in zip(one, other, strict=True)) / 6
    assert float(negative_cosine(one, other)) == pytest.approx(direct)


def test_nt_xent_is_its_formula(pair):
    one, other = pair
    rows = [row / row.norm() for row in torch.cat([one, other])]
    n, direct = len(one), 0.0
    for i in range(2 * n):
        partner = (i + n) % (2 * n)
        likeness = [math.exp(float(rows[i] @ row) / 0.5) for row in rows]
        direct -= math.log(likeness[partner] / (sum(likeness) - likeness[i]))
    assert float(nt_xent(one, other, temperature=0.5)) == pytest.approx(direct / (2 * n), rel=1e-5)


def test_nt_xent_where_all_rows_are_the_same_is_a_guess_among_all_others():
    rows = torch.ones(5, 3)
    assert float(nt_xent(rows, rows, temperature=0.1)) == pytest.approx(math.log(9))


def test_vicreg_is_its_formula(pair):
    one, other = pair
    n, dim = one.shape
    direct = 25 * sum(float((a - b) @ (a - b)) for a, b in zip(one, other, strict=True)) / (n * dim)
    for each in (one, other):
        centred = each - each.mean(dim=0)
        for i in range(dim):
            direct += 25 * max(0.0, 1 - math.sqrt(float(centred[:, i] @ centred[:, i]) / (n - 1) + 1e-4)) / dim
            for j in set(range(dim)) - {i}:
                direct += (float(centred[:, i] @ centred[:, j]) / (n - 1)) ** 2 / dim
    assert float(vicreg(one, other)) == pytest.approx(direct)


def test_vicreg_of_a_collapse_is_the_whole_missing_deviation():
    rows = torch.ones(8, 3)
    assert float(vicreg(rows, rows)) == pytest.approx(25 * 2 * (1 - math.sqrt(1e-4)))
    white = torch.linalg.qr(torch.randn(64, 3, generator=torch.Generator().manual_seed(1)))[0]
    white = (white - white.mean(dim=0)) / white.std(dim=0)
    assert float(vicreg(white, white)) < 0.2
