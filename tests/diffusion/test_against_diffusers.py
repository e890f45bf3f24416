"""On uniform levels the project's own maths equals the schedulers of diffusers.

Those take one level for a whole batch, so tokens are flattened into the batch for them.
"""

import pytest
import torch

from dfplan.diffusion import Parameterization, Schedule, add_noise, reverse_step

DDPM = Schedule("ddpm")
SETTINGS = {"num_train_timesteps": 1000, "beta_start": 1e-4, "beta_end": 0.02, "beta_schedule": "linear"}
PREDICTION_TYPES = {"clean": "sample", "noise": "epsilon", "velocity": "v_prediction"}


@pytest.fixture(scope="module")
def diffusers():
    return pytest.importorskip("diffusers")


@pytest.fixture
def values():
    """Two sequences of five tokens, three times."""
    return torch.randn(3, 2, 5, 7, generator=torch.Generator().manual_seed(0))


def test_add_noise(diffusers, values):
    clean, noise, _ = values
    timesteps = torch.tensor([[0, 1, 250, 998, 999], [999, 500, 3, 42, 0]])
    scheduler = diffusers.DDPMScheduler(**SETTINGS)
    expected = scheduler.add_noise(clean.flatten(0, 1), noise.flatten(0, 1), timesteps.flatten())
    ours = add_noise(clean, noise, level=((timesteps + 1) / 1000)[..., None], schedule=DDPM)
    torch.testing.assert_close(ours.flatten(0, 1), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", ["clean", "noise", "velocity"])
@pytest.mark.parametrize("eta", [0.0, 0.7, 1.0])
def test_ddim_step(diffusers, values, kind, eta):
    noisy, prediction, noise = values
    parameterization = Parameterization(kind, DDPM)
    scheduler = diffusers.DDIMScheduler(**SETTINGS, clip_sample=False, prediction_type=PREDICTION_TYPES[kind])
    scheduler.set_timesteps(20)  # 950, 900, …, 0: fifty timesteps at a time
    for timestep in scheduler.timesteps.tolist():
        level, next_level = torch.tensor((timestep + 1) / 1000), torch.tensor(max(timestep - 49, 0) / 1000)
        expected = scheduler.step(prediction, timestep, noisy, eta=eta, variance_noise=noise).prev_sample
        clean = parameterization.to_clean(prediction, noisy, level=level)
        ours = reverse_step(noisy, clean, level=level, next_level=next_level, schedule=DDPM, eta=eta, noise=noise)
        torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


@pytest.mark.parametrize("kind", ["clean", "noise", "velocity"])
def test_ddpm_step_is_ancestral_sampling(diffusers, values, kind):
    noisy, prediction, _ = values
    parameterization = Parameterization(kind, DDPM)
    scheduler = diffusers.DDPMScheduler(**SETTINGS, clip_sample=False, prediction_type=PREDICTION_TYPES[kind])
    for timestep in (999, 700, 50, 1, 0):
        expected = scheduler.step(
            prediction, timestep, noisy, generator=torch.Generator().manual_seed(timestep)
        ).prev_sample
        noise = torch.randn(noisy.shape, generator=torch.Generator().manual_seed(timestep))
        level, next_level = torch.tensor((timestep + 1) / 1000), torch.tensor(timestep / 1000)
        clean = parameterization.to_clean(prediction, noisy, level=level)
        ours = reverse_step(noisy, clean, level=level, next_level=next_level, schedule=DDPM, eta=1.0, noise=noise)
        torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


def test_rescaled_betas(diffusers):
    """Theirs keeps the first of the 1,000 values where it was, ours level 0: 3e-7 apart at the clean end."""
    from diffusers.schedulers.scheduling_ddpm import rescale_zero_terminal_snr

    betas = rescale_zero_terminal_snr(torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64))
    alpha, _ = Schedule("ddpm_rescaled")(torch.arange(1, 1001, dtype=torch.float64) / 1000)
    torch.testing.assert_close(alpha, (1 - betas).cumprod(0).sqrt(), rtol=0, atol=5e-7)
    assert alpha[-1] == 0


def test_signal_to_noise_ratio(diffusers):
    from diffusers.training_utils import compute_snr

    timesteps = torch.arange(0, 1000, 37)
    expected = compute_snr(diffusers.DDPMScheduler(**SETTINGS), timesteps)
    torch.testing.assert_close(DDPM.snr((timesteps + 1) / 1000), expected, rtol=1e-3, atol=0)
