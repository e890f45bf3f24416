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


def test_fused_snr_of_three_tokens_by_hand():
    # Levels of the straight path with ratios 1/4, 4 and 1/9; clipped at 4 and divided by it: 1/16, 1 and 1/36.
    levels = torch.tensor([[2 / 3, 1 / 3, 3 / 4]], dtype=torch.float64)
    weights = loss_weights(
        levels,
        kind="fused_snr",
        parameterization=Parameterization("clean", Schedule("linear")),
        snr_clip=4.0,
        cumulative_decay=0.5,
    )
    first = 4 * (1 / 16)
    second = 4 * 1.0  # a token with all the signal there is needs none from before
    carried = 0.5 * (0.5 * (1 / 16) + 0.5 * 1.0)
    third = 4 * (1 - (1 - carried) * (1 - 1 / 36))
    torch.testing.assert_close(weights, torch.tensor([[first, second, third]], dtype=torch.float64))


def test_fused_snr_looks_only_at_earlier_tokens():
    parameterization = Parameterization("velocity", Schedule())
    changed = LEVELS.clone()
    changed[:, 20:] = 0.5
    before, after = (
        loss_weights(each, kind="fused_snr", parameterization=parameterization) for each in (LEVELS, changed)
    )
    assert torch.equal(before[:, :20], after[:, :20])
    assert not torch.equal(before, after)


def test_fused_snr_of_a_first_token_is_min_snr():
    parameterization = Parameterization("velocity", Schedule())
    levels = LEVELS.T
    fused, alone = (
        loss_weights(levels, kind=kind, parameterization=parameterization) for kind in ("fused_snr", "min_snr")
    )
    torch.testing.assert_close(fused, alone)


def test_unknown_kinds_are_refused_with_the_known_ones():
    with pytest.raises(UserError, match="unknown training levels 'pyramid'; choose one of independent, shared"):
        sample_levels((1, 1), kind="pyramid", generator=torch.Generator())
    with pytest.raises(UserError, match="unknown loss weight 'snr'; choose one of uniform, min_snr, fused_snr"):
        loss_weights(LEVELS, kind="snr", parameterization=Parameterization("clean", Schedule()))
