"""Autoencoder tokenizers: real networks of diffusers, real frames, bundles, hostile bundles, the readout."""

import sys

import numpy as np
import pytest
import torch

from dfplan.domains.camera import load_camera
from dfplan.errors import UserError
from dfplan.models.bundle import load_bundle, save_bundle
from dfplan.models.tokenizers import build_tokenizer, load_tokenizer, save_tokenizer, to_pictures
from dfplan.models.tokenizers.autoencoders import KLAutoencoder, TinyAutoencoder
from dfplan.models.tokenizers.readout import foreground_centres

KINDS = {"autoencoder-tiny": TinyAutoencoder, "autoencoder-kl": KLAutoencoder}
SIZES = {"width": 8, "latent_channels": 2}


@pytest.fixture(scope="module")
def camera():
    return load_camera("pixelmaze-medium-v1")


@pytest.fixture
def frames(camera):
    return torch.from_numpy(camera.render(np.random.default_rng(0).uniform(1, 6, size=(5, 2))))


def built(name: str, camera):
    torch.manual_seed(0)
    tokenizer = build_tokenizer(name, **SIZES)
    tokenizer.background.copy_(to_pictures(torch.from_numpy(camera.background[None]))[0])
    return tokenizer


@pytest.mark.parametrize("place", [(1.0, 1.0), (2.345, 5.2), (6.0, 4.0)])
def test_the_centre_of_the_foreground_is_where_the_camera_drew_the_agent(camera, place):
    position = np.array([place])
    picture = to_pictures(torch.from_numpy(camera.render(position)))
    background = to_pictures(torch.from_numpy(camera.background[None]))[0]
    centre = foreground_centres(picture, background).numpy()
    np.testing.assert_allclose(centre, camera.to_pixels(position), atol=0.4)  # pixels


def test_where_nothing_differs_the_centre_is_the_middle():
    background = torch.rand(3, 64, 64)
    torch.testing.assert_close(foreground_centres(background[None], background), torch.full((1, 2), 32.0))


@pytest.mark.parametrize("name", KINDS)
def test_without_diffusers_it_is_said_what_to_install(monkeypatch, name):
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(UserError, match=r"dfplan\[images\]"):
        build_tokenizer(name, **SIZES)


def test_a_width_that_does_not_divide_is_refused():
    with pytest.raises(UserError, match="multiples of 8; got 12"):
        build_tokenizer("autoencoder-tiny", width=12)


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_a_bundle_round_trips_and_latents_are_spatial(tmp_path, camera, frames, name):
    tokenizer = built(name, camera)
    tokenizer.normalizer.fit(torch.randn(100, 128) * 3 + 1)
    save_tokenizer(tmp_path, tokenizer, {"tokenizer": {"name": name, **SIZES}})
    loaded, _ = load_tokenizer(tmp_path)
    latents = tokenizer.encode(frames)
    assert latents.shape == (5, 2 * 8 * 8)
    assert torch.equal(loaded.encode(frames), latents)
    assert torch.equal(loaded.decode(latents), tokenizer.decode(latents))
    assert loaded.decode(latents).shape == frames.shape
    assert not any(each.requires_grad for each in loaded.parameters())


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kind"), KINDS.items())
def test_the_fewest_numbers_are_fewer_than_there_are_and_not_by_much(name, kind):
    for width in (8, 16, 32):
        numbers = sum(each.numel() for each in build_tokenizer(name, width=width).network.parameters())
        assert 0.6 * numbers < kind.FEWEST_NUMBERS * width**2 <= numbers


@pytest.mark.slow
def test_sampled_latents_of_the_kl_autoencoder_scatter_about_those_it_encodes(camera, frames):
    tokenizer = built("autoencoder-kl", camera)
    pictures, generator = to_pictures(frames[:1]).expand(64, -1, -1, -1), torch.Generator().manual_seed(0)
    with torch.no_grad():
        samples = torch.cat([tokenizer.sample(pictures, generator=generator)[0] for _ in range(8)])
        divergence = tokenizer.sample(pictures, generator=generator)[1]
        mean = tokenizer.encode_raw(pictures[:1])
        std = tokenizer._distribution(pictures[:1]).std.flatten()
    torch.testing.assert_close(samples.mean(dim=0), mean[0], atol=float(6 * std.max() / 512**0.5), rtol=0)
    direct = 0.5 * (mean[0].square() + std.square() - 1 - 2 * std.log()).sum()
    torch.testing.assert_close(divergence, direct.expand(64), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    "claim",
    [
        {"width": 10**6},
        {"width": 512},
        {"latent_channels": 10**6},
        {"latent_channels": 2000},
        {"width": "8"},
        {"width": None},
        {"name": "autoencoder-huge"},
        {"more": 4},
    ],
)
def test_a_bundle_that_claims_what_its_tensors_are_not_is_refused(tmp_path, monkeypatch, claim):
    monkeypatch.setitem(sys.modules, "diffusers", None)  # nothing may be built from such a claim
    tensors = {"tokenizer.network.weight": torch.zeros(2000, 8), "tokenizer.background": torch.zeros(3, 64, 64)}
    description = {"name": "autoencoder-tiny", **SIZES, **claim}
    save_bundle(tmp_path, tensors, {"tokenizer": description})
    with pytest.raises(UserError, match=r"does not describe a frame tokenizer|unknown tokenizer|do not fit"):
        load_tokenizer(tmp_path)


@pytest.mark.slow
def test_a_bundle_with_other_weights_or_values_that_are_not_finite_is_refused(tmp_path, camera):
    tokenizer = built("autoencoder-tiny", camera)
    metadata = {"tokenizer": {"name": "autoencoder-tiny", **SIZES}}
    save_tokenizer(tmp_path, tokenizer, metadata)
    tensors, _ = load_bundle(tmp_path)
    name = "tokenizer.network.encoder.layers.0.bias"
    save_bundle(tmp_path / "nan", {**tensors, name: torch.full_like(tensors[name], torch.nan)}, metadata)
    with pytest.raises(UserError, match="not finite"):
        load_tokenizer(tmp_path / "nan")
    del tensors[name]
    save_bundle(tmp_path / "less", tensors, metadata)
    with pytest.raises(UserError, match="do not fit"):
        load_tokenizer(tmp_path / "less")
