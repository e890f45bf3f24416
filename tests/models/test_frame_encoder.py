"""Frame encoders: bundles, hostile bundles, and networks that the caller hands over."""

import pytest
import torch

from dfplan.errors import UserError
from dfplan.models.bundle import load_bundle, save_bundle
from dfplan.models.frame_encoder import (
    FrameEncoder,
    PretrainedEncoder,
    frozen_encoder,
    load_frame_encoder,
    save_frame_encoder,
)


@pytest.fixture
def frames():
    return torch.randint(0, 256, (3, 64, 64, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_a_bundle_gives_the_same_features(tmp_path, frames):
    encoder = FrameEncoder(feature_dim=5, width=4)
    save_frame_encoder(tmp_path, encoder, {"made": "here"})
    loaded, metadata = load_frame_encoder(tmp_path)
    assert metadata["made"] == "here"
    assert torch.equal(loaded(frames), encoder(frames))
    assert loaded(frames).shape == (3, 5)
    frozen = frozen_encoder(str(tmp_path), seed=0)
    assert torch.equal(frozen(frames), encoder(frames))
    assert not any(each.requires_grad for each in frozen.parameters())


@pytest.mark.parametrize(
    "sizes",
    [
        {"feature_dim": 10**9, "width": 4},
        {"feature_dim": 5, "width": 10**9},
        {"feature_dim": 5, "width": 256},
        {"feature_dim": "5", "width": 4},
        {"feature_dim": 5},
        {"feature_dim": 5, "width": 4, "more": 1},
        [5, 4],
        None,
    ],
)
def test_a_bundle_that_claims_what_its_tensors_are_not_is_refused(tmp_path, sizes):
    save_frame_encoder(tmp_path, FrameEncoder(feature_dim=5, width=4), {})
    tensors, metadata = load_bundle(tmp_path)
    save_bundle(tmp_path, tensors, {**metadata, "frame_encoder": sizes})
    with pytest.raises(UserError, match="does not describe a frame encoder"):
        load_frame_encoder(tmp_path)


def test_a_bundle_with_tensors_of_something_else_or_not_finite_is_refused(tmp_path):
    save_frame_encoder(tmp_path, FrameEncoder(feature_dim=5, width=4), {})
    tensors, metadata = load_bundle(tmp_path)
    save_bundle(tmp_path / "more", {**tensors, "other.weight": torch.zeros(3)}, metadata)
    with pytest.raises(UserError, match="something else"):
        load_frame_encoder(tmp_path / "more")
    tensors["encoder.layers.0.bias"][0] = torch.nan
    save_bundle(tmp_path / "nan", tensors, metadata)
    with pytest.raises(UserError, match="not finite"):
        load_frame_encoder(tmp_path / "nan")


class Recorder(torch.nn.Module):
    """Stands in for a network of another project; keeps what it was shown."""

    def forward(self, pictures):
        self.pictures = pictures
        return pictures.mean(dim=(2, 3))


@pytest.mark.parametrize("name", ["dinov2", "mae", "mocov3"])
def test_a_network_that_is_handed_over_sees_frames_as_it_expects_them(name):
    recorder = Recorder()
    encoder = frozen_encoder(name, seed=0, given={name: recorder})
    grey = torch.full((2, 64, 64, 3), 128, dtype=torch.uint8)
    features = encoder(grey)
    assert recorder.pictures.shape == (2, 3, 224, 224)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    torch.testing.assert_close(features, ((128 / 255 - mean) / std).expand(2, 3), atol=1e-4, rtol=0)


def test_a_pretrained_network_that_was_not_handed_over_is_asked_for():
    with pytest.raises(UserError, match="load the network yourself"):
        frozen_encoder("dinov2", seed=0)
    with pytest.raises(UserError, match="dinov2, mae, mocov3"):
        PretrainedEncoder("clip", Recorder())
