"""Diffuser's diffusion against a trusted library, a closed form, and its own clamps."""

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler

from dfplan.baselines.diffuser.diffusion import (
    clamped,
    cosine_signal,
    noised,
    sample_in_few_steps,
    sample_trajectories,
)


@pytest.mark.parametrize("num_levels", [64, 256])
def test_the_schedule_is_diffusers_cosine(num_levels):
    scheduler = DDPMScheduler(num_train_timesteps=num_levels, beta_schedule="squaredcos_cap_v2")
    torch.testing.assert_close(cosine_signal(num_levels).float(), scheduler.alphas_cumprod, atol=1e-6, rtol=1e-4)


def test_noise_is_added_as_diffusers_does():
    generator = torch.Generator().manual_seed(0)
    clean, noise = (torch.randn(5, 8, 6, generator=generator) for _ in range(2))
    levels = torch.tensor([0, 3, 17, 40, 63])
    scheduler = DDPMScheduler(num_train_timesteps=64, beta_schedule="squaredcos_cap_v2")
    expected = scheduler.add_noise(clean, noise, levels)
    torch.testing.assert_close(noised(clean, noise, levels, signal=cosine_signal(64)), expected, atol=1e-5, rtol=1e-4)


def test_sampling_is_diffusers_ancestral_sampling():
    shape, signal = (3, 4, 6), cosine_signal(16)
    scheduler = DDPMScheduler(num_train_timesteps=16, beta_schedule="squaredcos_cap_v2", prediction_type="sample")
    ours, theirs = torch.Generator().manual_seed(0), torch.Generator().manual_seed(0)

    def predict(trajectories, level):
        return 1.5 * trajectories.tanh() + level / 100  # partly outside [-1, 1], so that clipping counts

    found = sample_trajectories(
        lambda trajectories, levels: predict(trajectories, levels[0]),
        signal=signal,
        draw_noise=lambda: torch.randn(shape, generator=ours),
        clamp=lambda trajectories: trajectories,
    )
    expected = torch.randn(shape, generator=theirs)
    for level in scheduler.timesteps:
        expected = scheduler.step(predict(expected, level), level, expected, generator=theirs).prev_sample
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize(("num_levels", "num_steps"), [(64, 16), (256, 16), (20, 20), (20, 1)])
def test_sampling_in_few_steps_is_diffusers_ddim(num_levels, num_steps):
    scheduler = DDIMScheduler(
        num_train_timesteps=num_levels,
        beta_schedule="squaredcos_cap_v2",
        prediction_type="sample",
        timestep_spacing="trailing",
    )
    scheduler.set_timesteps(num_steps)
    generator, levels_seen = torch.Generator().manual_seed(0), []

    def predict(trajectories, level):
        return 1.5 * trajectories.tanh() + level / 500  # partly outside [-1, 1], so that clipping counts

    def predict_and_note(trajectories, levels):
        levels_seen.append(int(levels[0]))
        return predict(trajectories, levels[0])

    noise = torch.randn(3, 4, 6, generator=generator)
    found = sample_in_few_steps(
        predict_and_note,
        signal=cosine_signal(num_levels),
        num_steps=num_steps,
        draw_noise=lambda: noise,
        clamp=lambda trajectories: trajectories,
    )
    expected = noise
    for level in scheduler.timesteps:
        step = scheduler.step(predict(expected, level), level, expected, use_clipped_model_output=True)
        expected = step.prev_sample
    assert levels_seen == scheduler.timesteps.tolist()
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3)


def test_few_steps_spread_over_any_number_of_levels_and_hold_both_ends():
    first, last, seen = torch.full((2, 4), 0.25), torch.full((2, 4), -0.5), []

    def predict(noisy, levels):
        seen.append((int(levels[0]), noisy))
        return torch.zeros_like(noisy)

    found = sample_in_few_steps(
        predict,
        signal=cosine_signal(64),
        num_steps=10,
        draw_noise=lambda: torch.ones(2, 6, 6),
        clamp=lambda trajectories: clamped(trajectories, first, last),
    )
    levels = [level for level, _ in seen]
    assert (levels[0], len(levels)) == (63, 10)
    assert levels == sorted(set(levels), reverse=True)
    assert all((noisy[:, 0, 2:] == first).all() and (noisy[:, -1, 2:] == last).all() for _, noisy in seen)
    assert (found[:, 1:-1] == 0).all()


def test_with_the_exact_denoiser_of_a_gaussian_samples_have_its_moments():
    mean, deviation, signal = 0.3, 0.2, cosine_signal(1000)  # fewer levels lose spread: 0.18 with 64
    generator = torch.Generator().manual_seed(0)

    def predict(noisy, levels):
        left = signal[levels][:, None, None].float()
        gain = left.sqrt() * deviation**2 / (left * deviation**2 + 1 - left)
        return mean + gain * (noisy - left.sqrt() * mean)

    found = sample_trajectories(
        predict,
        signal=signal,
        draw_noise=lambda: torch.randn(1024, 4, 2, generator=generator),
        clamp=lambda trajectories: trajectories,
    )
    assert found.mean() == pytest.approx(mean, abs=0.01)
    assert found.std() == pytest.approx(deviation, abs=0.006)
    assert torch.corrcoef(found.flatten(1).T).fill_diagonal_(0).abs().max() < 0.12


def test_both_ends_are_held_exactly_in_every_step():
    first, last = torch.full((2, 4), 0.25), torch.full((2, 4), -0.5)
    generator, seen = torch.Generator().manual_seed(0), []

    def predict(noisy, levels):
        seen.append(noisy)
        return torch.zeros_like(noisy)

    found = sample_trajectories(
        predict,
        signal=cosine_signal(8),
        draw_noise=lambda: torch.randn(2, 6, 6, generator=generator),
        clamp=lambda trajectories: clamped(trajectories, first, last),
    )
    for trajectories in [*seen, found]:
        assert (trajectories[:, 0, 2:] == first).all()
        assert (trajectories[:, -1, 2:] == last).all()
        assert (trajectories[:, 1, 2:] != first).all()
    assert len(seen) == 8
    assert (found[:, 1:-1] == 0).all()  # the last step is what was predicted, without noise


def test_clamping_leaves_the_actions_and_its_argument_alone():
    trajectories = torch.zeros(1, 3, 6)
    found = clamped(trajectories, torch.ones(1, 4), torch.ones(1, 4))
    assert found.sum() == 8
    assert found[..., :2].sum() == 0
    assert trajectories.sum() == 0
