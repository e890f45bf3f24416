"""Every schedule goes from clean to noisy without a turn, and the DDPM one is the published one."""

import pytest
import torch

from dfplan.diffusion import Schedule, add_noise
from dfplan.errors import UserError

NAMES = ("linear", "cosine", "ddpm", "ddpm_rescaled")
LEVELS = torch.linspace(0, 1, 1001, dtype=torch.float64)


@pytest.mark.parametrize("name", NAMES)
def test_level_zero_is_exactly_clean(name):
    alpha, sigma = Schedule(name)(torch.zeros(1))
    assert (alpha.item(), sigma.item()) == (1.0, 0.0)


@pytest.mark.parametrize("name", NAMES)
def test_level_one_is_pure_noise_where_the_schedule_says_so(name):
    schedule = Schedule(name)
    alpha, sigma = schedule(torch.ones(1))
    assert sigma.item() == pytest.approx(1, abs=1e-4)
    assert (alpha.item() == 0) == schedule.ends_in_pure_noise
    assert alpha.item() < 0.01


@pytest.mark.parametrize("name", NAMES)
def test_signal_falls_and_noise_rises(name):
    alpha, sigma = Schedule(name)(LEVELS)
    assert (alpha.diff() < 0).all()
    assert (sigma.diff() > 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_signal_to_noise_ratio_falls_and_stays_finite(name):
    ratio = Schedule(name).snr(LEVELS)
    assert torch.isfinite(ratio).all()
    assert (ratio[1:].diff() < 0).all()
    assert ratio[0] == 1e8


@pytest.mark.parametrize("name", ["cosine", "ddpm", "ddpm_rescaled"])
def test_variance_is_preserved(name):
    alpha, sigma = Schedule(name)(LEVELS)
    torch.testing.assert_close(alpha**2 + sigma**2, torch.ones_like(LEVELS), rtol=0, atol=1e-12)
    assert Schedule(name).variance_preserving


def test_the_straight_path_does_not_preserve_variance():
    alpha, sigma = Schedule("linear")(LEVELS)
    torch.testing.assert_close(alpha + sigma, torch.ones_like(LEVELS), rtol=0, atol=1e-15)
    assert not Schedule("linear").variance_preserving


def test_ddpm_is_the_product_of_the_published_betas():
    betas = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
    alpha, _ = Schedule("ddpm")(LEVELS[1:])
    torch.testing.assert_close(alpha**2, (1 - betas).cumprod(0), rtol=1e-9, atol=0)


@pytest.mark.parametrize("name", NAMES)
def test_noise_is_added_per_token(name):
    generator = torch.Generator().manual_seed(0)
    clean, noise = torch.randn(2, 3, 5, 4, generator=generator)
    level = torch.rand(3, 5, 1, generator=generator)
    noisy = add_noise(clean, noise, level=level, schedule=Schedule(name))
    alpha, sigma = Schedule(name)(level[1, 2, 0])
    torch.testing.assert_close(noisy[1, 2], alpha * clean[1, 2] + sigma * noise[1, 2])


def test_unknown_schedule_is_refused_with_the_known_ones():
    with pytest.raises(
        UserError, match="unknown noise schedule 'sigmoid'; choose one of linear, cosine, ddpm, ddpm_rescaled"
    ):
        Schedule("sigmoid")
