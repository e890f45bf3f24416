"""Sampling with a perfect denoiser finds the data; a bundle is what it says it is."""

import json
import shutil
from types import SimpleNamespace

import pytest
import torch

from dfplan.errors import UserError
from dfplan.models.bundle import load_bundle, save_bundle
from dfplan.models.image_ddpm import NAME, build_scheduler, build_unet, load_image_ddpm, sample_images

pytest.importorskip("diffusers")
MEAN, DEVIATION = 0.3, 0.1


class Perfect(torch.nn.Module):
    """The exact velocity of pixels that are independent and normal, mean 0.3 and deviation 0.1."""

    def __init__(self, num_levels: int) -> None:
        super().__init__()
        self.signal = torch.nn.Parameter(build_scheduler(num_levels).alphas_cumprod, requires_grad=False)

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
        return sample_images(Perfect(num_levels), (64, 1, 8, 8), num_levels=num_levels, generator=generator)

    images = draw()
    assert float(images.mean()) == pytest.approx(MEAN, abs=0.005)
    assert float(images.std()) == pytest.approx(DEVIATION, rel=0.03)
    assert torch.equal(images, draw())


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle") / "model"
    sizes = {"image_size": 8, "channels": 1, "width": 8}
    torch.manual_seed(0)
    unet = build_unet(**sizes)
    tensors = {f"unet.{name}": value for name, value in unet.state_dict().items()}
    save_bundle(folder, tensors, {"model": {"name": NAME, **sizes, "num_levels": 100}})
    return folder, unet


def test_a_bundle_holds_the_network(bundle):
    folder, unet = bundle
    model = load_image_ddpm(folder)
    noisy = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = unet.eval()(noisy, torch.tensor([1, 3])).sample
        assert torch.equal(model.unet(noisy, torch.tensor([1, 3])).sample, expected)
    assert model.sample(3, generator=torch.Generator().manual_seed(0)).shape == (3, 1, 8, 8)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"name": "transformer"}, "it says 'transformer'"),
        ({"width": 10**9}, "width must be a whole number"),
        ({"width": 16}, "are not those of the network"),
        ({"width": 9}, "multiple of 8"),
        ({"num_levels": True}, "num_levels must be"),
    ],
)
def test_a_false_description_is_refused(bundle, change, expected, tmp_path):
    tensors, metadata = load_bundle(bundle[0])
    save_bundle(tmp_path, tensors, {"model": metadata["model"] | change})
    with pytest.raises(UserError, match=expected):
        load_image_ddpm(tmp_path)


def test_a_bundle_without_a_model_is_refused(bundle, tmp_path):
    shutil.copytree(bundle[0], tmp_path / "model")
    save_bundle(tmp_path / "model", load_bundle(bundle[0])[0], {"env": "x"})
    with pytest.raises(UserError, match="does not describe a model of images"):
        load_image_ddpm(tmp_path / "model")
    assert "x" in json.loads((tmp_path / "model" / "model.json").read_text())["metadata"]["env"]
