"""A reverse step, followed to the end with the exact denoiser of a Gaussian, gives that Gaussian back."""

import itertools

import pytest
import torch

from dfplan.diffusion import Schedule, reverse_step

NAMES = ("linear", "cosine", "ddpm")
MEAN, STD = 0.8, 0.4


def _best_guess(noisy, *, level, schedule):
    """The exact expected clean value of N(MEAN, STD²) given a noisy one."""
    alpha, sigma = schedule(level)
    return MEAN + STD**2 * alpha / (alpha**2 * STD**2 + sigma**2) * (noisy - alpha * MEAN)


def _distribution_after(num_steps, *, name, eta):
    """Mean and standard deviation of what sampling gives, exactly.

    A step is affine in the value and in the fresh noise, so three probes of it carry a Gaussian over without sampling.
    """
    schedule = Schedule(name)
    levels = torch.linspace(1, 0, num_steps + 1, dtype=torch.float64)
    mean, variance = torch.zeros((), dtype=torch.float64), torch.ones((), dtype=torch.float64)
    probes = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    for level, next_level in itertools.pairwise(levels):
        noisy, noise = probes.unbind(dim=1)
        clean = _best_guess(noisy, level=level, schedule=schedule)
        offset, with_value, with_noise = reverse_step(
            noisy, clean, level=level, next_level=next_level, schedule=schedule, eta=eta, noise=noise
        )
        mean = offset + (with_value - offset) * mean
        variance = (with_value - offset) ** 2 * variance + (with_noise - offset) ** 2
    return float(mean), float(variance.sqrt())


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("name", NAMES)
def test_sampling_with_the_exact_denoiser_gives_the_right_mean_and_variance(name, eta):
    mean, std = _distribution_after(1000, name=name, eta=eta)
    # The ddpm schedule keeps 0.6 % of the signal at level 1, which a start in pure noise lacks.
    assert mean == pytest.approx(MEAN, abs=4e-3)
    assert std == pytest.approx(STD, abs=4e-3)


@pytest.mark.parametrize("name", ["linear", "cosine"])
def test_half_the_step_is_about_half_the_error(name):
    errors = [abs(_distribution_after(num_steps, name=name, eta=0.0)[1] - STD) for num_steps in (50, 100, 200)]
    for coarse, fine in itertools.pairwise(errors):
        assert 1.7 < coarse / fine < 2.3


@pytest.mark.parametrize("eta", [0.0, 1.0])
@pytest.mark.parametrize("name", NAMES)
def test_samples_agree_with_the_affine_account(name, eta):
    generator, schedule = torch.Generator().manual_seed(0), Schedule(name)
    values = torch.randn(20_000, generator=generator)
    for step in range(40, 0, -1):
        level, next_level = torch.tensor(step / 40), torch.tensor((step - 1) / 40)
        clean = _best_guess(values, level=level, schedule=schedule)
        noise = torch.randn(len(values), generator=generator)
        values = reverse_step(
            values, clean, level=level, next_level=next_level, schedule=schedule, eta=eta, noise=noise
        )
    mean, std = _distribution_after(40, name=name, eta=eta)
    assert float(values.mean()) == pytest.approx(mean, abs=5 * std / 20_000**0.5)
    assert float(values.std()) == pytest.approx(std, rel=5 / (2 * 20_000) ** 0.5)


@pytest.mark.parametrize("eta", [0.0, 1.0])
@pytest.mark.parametrize("name", NAMES)
def test_a_token_that_stays_on_its_level_stays_bit_for_bit(name, eta):
    generator = torch.Generator().manual_seed(0)
    noisy, clean, noise = torch.randn(3, 2, 11, 4, generator=generator)
    level = torch.linspace(0, 1, 11)[None, :, None]
    stayed = reverse_step(noisy, clean, level=level, next_level=level, schedule=Schedule(name), eta=eta, noise=noise)
    assert torch.equal(stayed, noisy)


@pytest.mark.parametrize("eta", [0.0, 1.0])
@pytest.mark.parametrize("name", NAMES)
def test_a_step_to_level_zero_is_the_predicted_clean_value(name, eta):
    generator = torch.Generator().manual_seed(0)
    noisy, clean, noise = torch.randn(3, 2, 10, 4, generator=generator)
    level = torch.linspace(0.1, 1, 10)[None, :, None]
    moved = reverse_step(
        noisy, clean, level=level, next_level=torch.zeros_like(level), schedule=Schedule(name), eta=eta, noise=noise
    )
    torch.testing.assert_close(moved, clean, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_every_token_takes_its_own_step(name):
    generator = torch.Generator().manual_seed(0)
    noisy, clean = torch.randn(2, 1, 6, 4, generator=generator)
    level = torch.tensor([0.0, 0.2, 0.5, 0.9, 1.0, 1.0])[None, :, None]
    next_level = torch.tensor([0.0, 0.1, 0.0, 0.9, 0.3, 1.0])[None, :, None]
    together = reverse_step(noisy, clean, level=level, next_level=next_level, schedule=Schedule(name))
    for token in range(6):
        part = (slice(None), slice(token, token + 1))
        alone = reverse_step(
            noisy[part], clean[part], level=level[part], next_level=next_level[part], schedule=Schedule(name)
        )
        assert torch.equal(alone, together[part])


def test_fresh_noise_must_be_given():
    value, level = torch.zeros(2, 3), torch.full((2, 1), 0.5)
    with pytest.raises(ValueError, match=r"eta=1.0 draws fresh noise; pass noise of shape \[2, 3\]"):
        reverse_step(value, value, level=level, next_level=level / 2, schedule=Schedule(), eta=1.0)
