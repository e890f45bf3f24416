"""Sampling with a perfect denoiser finds the data; a bundle is what it says it is."""

from types import SimpleNamespace

import from_benchmarks
import pytest
import torch

from dfplan.errors import UserError

pytest.importorskip("diffusers")
network = from_benchmarks.module("image_network", of="image_ddpm")
MEAN, DEVIATION = 0.3, 0.1


class Perfect(torch.nn.Module):
    """The exact velocity of pixels that are independent and normal, mean 0.3 and deviation 0.1."""

    def __init__(self, num_levels: int) -> None:
        super().__init__()
        self.signal = torch.nn.Parameter(network.build_scheduler(num_levels).alphas_cumprod, requires_grad=False)

    def forward(self, noisy, level):
        alpha, sigma = self.signal[level].sqrt(), (1 - self.signal[level]).sqrt()
        gain = alpha * DEVIATION**2 / (alpha**2 * DEVIATION**2 + sigma**2)
        clean = MEAN + gain * (noisy - alpha * MEAN)
        noise = (noisy - alpha * clean) / sigma
        return SimpleNamespace(sample=alpha * noise - sigma * clean)


@pytest.mark.parametrize("num_levels", [200, 1000])
def test_a_perfect_denoiser_samples_the_distribution(num_levels):
    def draw():
        generator = torch.Generator().manual_seed(0)
        return network.sample_images(Perfect(num_levels), (64, 1, 8, 8), num_levels=num_levels, generator=generator)

    images = draw()
    assert float(images.mean()) == pytest.approx(MEAN, abs=0.005)
    assert float(images.std()) == pytest.approx(DEVIATION, rel=0.03)
    assert torch.equal(images, draw())


def test_a_width_that_cannot_be_normalised_in_groups_is_refused():
    with pytest.raises(UserError, match="multiple of 8"):
        network.build_unet(image_size=8, channels=1, width=9)
