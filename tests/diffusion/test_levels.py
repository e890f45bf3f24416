"""Training levels are drawn as promised, and loss weights are those of the papers."""

import pytest
import torch

from dfplan.diffusion import Parameterization, Schedule, loss_weights, sample_levels
from dfplan.errors import UserError

LEVELS = torch.linspace(0.01, 0.999, 50, dtype=torch.float64)[None]


def test_independent_levels_are_uniform_and_unrelated():
    levels = sample_levels((20_000, 3), generator=torch.Generator().manual_seed(0))
    assert levels.shape == (20_000, 3)
    assert (levels >= 0).all()
    assert (levels < 1).all()
    torch.testing.assert_close(levels.sort(dim=0).values[10_000], torch.full((3,), 0.5), rtol=0, atol=0.02)
    assert float(levels.var()) == pytest.approx(1 / 12, rel=0.02)
    correlation = torch.corrcoef(levels.T)
    assert (correlation - torch.eye(3)).abs().max() < 0.03


def test_shared_levels_are_one_per_sequence():
    levels = sample_levels((100, 4), kind="shared", generator=torch.Generator().manual_seed(0))
    assert (levels == levels[:, :1]).all()
    assert levels[:, 0].unique().numel() == 100


def test_next_levels_are_clean_up_to_a_place_and_pure_noise_from_there_on():
    levels = sample_levels((8000, 4), kind="next", generator=torch.Generator().manual_seed(0))
    assert set(levels.unique().tolist()) == {0.0, 1.0}
    assert (levels.diff(dim=1) >= 0).all()
    assert (levels[:, -1] == 1).all()  # there is always something to predict
    torch.testing.assert_close(
        levels.sum(dim=1).long().bincount() / 8000, torch.tensor([0, 1, 1, 1, 1]) / 4, atol=0.02, rtol=0
    )


def test_the_same_generator_state_draws_the_same_levels():
    draws = [sample_levels((5, 6), generator=torch.Generator().manual_seed(3)) for _ in range(2)]
    assert torch.equal(*draws)


def test_uniform_weights_are_one():
    parameterization = Parameterization("velocity", Schedule())
    assert (loss_weights(LEVELS, kind="uniform", parameterization=parameterization) == 1).all()


@pytest.mark.parametrize(
    ("kind", "formula"),
    [
        ("clean", lambda snr, clip: snr.clamp(max=clip)),
        ("noise", lambda snr, clip: snr.clamp(max=clip) / snr),
        ("velocity", lambda snr, clip: snr.clamp(max=clip) / (snr + 1)),
    ],
)
def test_min_snr_is_the_formula_of_the_paper(kind, formula):
    # arXiv 2303.09556, section 3.4, on a variance-preserving schedule.
    parameterization = Parameterization(kind, Schedule("ddpm"))
    weights = loss_weights(LEVELS, kind="min_snr", parameterization=parameterization, snr_clip=5.0)
    torch.testing.assert_close(weights, formula(parameterization.schedule.snr(LEVELS), 5.0), rtol=1e-6, atol=0)


def test_unknown_kinds_are_refused_with_the_known_ones():
    with pytest.raises(UserError, match="unknown training levels 'pyramid'; choose one of independent, shared"):
        sample_levels((1, 1), kind="pyramid", generator=torch.Generator())
    with pytest.raises(UserError, match="unknown loss weight 'snr'; choose one of uniform, min_snr"):
        loss_weights(LEVELS, kind="snr", parameterization=Parameterization("clean", Schedule()))
