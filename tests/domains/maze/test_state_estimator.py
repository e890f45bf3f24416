"""Tokenizers: what they find in real frames of the pixel mazes, and what travels in their bundles."""

import numpy as np
import pytest
import torch

from dfplan.domains.camera import load_camera
from dfplan.domains.maze.motion import MotionFilter
from dfplan.domains.maze.state_estimator import StateEstimator, load_estimator, load_keypoints
from dfplan.errors import UserError
from dfplan.models.bundle import load_bundle, save_bundle
from dfplan.models.tokenizers import (
    KeypointTokenizer,
    LatentNormalizer,
    load_tokenizer,
    save_tokenizer,
    to_frames,
    to_pictures,
)
from dfplan.types import DoubleIntegrator

METADATA = {"env": "pixelmaze-medium", "tokenizer": {"name": "keypoints", "num_keypoints": 1, "width": 8}}
MOTION = MotionFilter(
    DoubleIntegrator(decay=0.99, gain=0.25, step=0.01, max_speed=5.0), position_gain=0.5, speed_gain=0.1
)


@pytest.fixture(scope="module")
def camera():
    return load_camera("pixelmaze-medium-v1")


def sharp_tokenizer(camera) -> KeypointTokenizer:
    """No training: the network passes the contrast on, and the softmax is sharp enough to find the ball."""
    tokenizer = KeypointTokenizer(width=2)
    tokenizer.calibrate(
        background=to_pictures(torch.from_numpy(camera.background[None]))[0],
        pixels_per_unit=camera.pixels_per_unit,
        origin=torch.as_tensor(camera.to_pixels(np.zeros(2)), dtype=torch.float32),
    )
    with torch.no_grad():
        for weight in (tokenizer.look.weight, tokenizer.heat.weight):
            weight.zero_()
        tokenizer.look.weight[0, :, 1, 1], tokenizer.look.weight[1, :, 1, 1] = 1.0, -1.0
        tokenizer.heat.weight[0, :, 1, 1] = 1.0
        tokenizer.sharpness.fill_(np.log(12.0))
    return tokenizer.eval().requires_grad_(False)


def test_frames_and_pictures_are_the_same_thing():
    frames = torch.randint(256, (3, 64, 64, 3), dtype=torch.uint8)
    assert torch.equal(to_frames(to_pictures(frames)), frames)


def test_a_normalizer_standardizes_every_dimension_and_back():
    latents = torch.randn(5000, 3) * torch.tensor([1.0, 20.0, 0.1]) + torch.tensor([5.0, 0.0, -1.0])
    normalizer = LatentNormalizer(3)
    normalizer.fit(latents)
    normalized = normalizer(latents)
    torch.testing.assert_close(normalized.mean(dim=0), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(normalized.std(dim=0), torch.ones(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(normalizer.back(normalized), latents)


def test_one_number_for_all_dimensions_keeps_their_proportions():
    latents = torch.randn(5000, 2) * torch.tensor([1.0, 20.0])
    normalizer = LatentNormalizer(2)
    normalizer.fit(latents, per_dimension=False)
    spread = normalizer(latents).std(dim=0)
    assert float(spread[1] / spread[0]) == pytest.approx(20, rel=0.05)


def test_a_dimension_that_hardly_varies_is_not_blown_up():
    latents = torch.stack([torch.randn(1000), 1e-9 * torch.randn(1000)], dim=1)
    normalizer = LatentNormalizer(2)
    normalizer.fit(latents)
    assert float(normalizer(latents)[:, 1].abs().max()) < 1e-3


def test_latents_that_never_vary_are_refused():
    with pytest.raises(UserError, match="do not vary"):
        LatentNormalizer(2).fit(torch.ones(10, 2))


def test_a_keypoint_is_where_the_ball_is(camera):
    positions = np.random.default_rng(0).uniform(1, 5, size=(50, 2)).astype(np.float32)
    tokenizer = sharp_tokenizer(camera)
    found = tokenizer.to_places(tokenizer.encode(torch.from_numpy(camera.render(positions))))
    assert np.linalg.norm(found.numpy() - positions, axis=1).max() < 0.3


def test_positions_and_latents_undo_each_other(camera):
    tokenizer = sharp_tokenizer(camera)
    tokenizer.normalizer.fit(torch.randn(100, 2) * 10 + 30)
    positions = torch.rand(7, 2) * 5
    torch.testing.assert_close(tokenizer.to_places(tokenizer.from_places(positions)), positions)


def test_the_decoder_draws_only_around_the_point(camera):
    tokenizer = sharp_tokenizer(camera)
    with torch.no_grad():
        tokenizer.radius.fill_(np.log(2.0))
        tokenizer.softness.fill_(np.log(0.1))
    frame = tokenizer.decode(tokenizer.from_places(torch.tensor([[3.0, 3.0]])))[0].numpy()
    row, column = camera.to_pixels(np.array([3.0, 3.0]))
    changed = np.argwhere((frame != camera.background).any(axis=-1)) + 0.5
    assert len(changed)
    assert np.linalg.norm(changed - [row, column], axis=1).max() < 3.5


def test_frames_of_another_shape_are_refused(camera):
    with pytest.raises(UserError, match="uint8 frames of shape"):
        sharp_tokenizer(camera).encode(torch.zeros(1, 32, 32, 3, dtype=torch.uint8))
    with pytest.raises(UserError, match="uint8"):
        sharp_tokenizer(camera).encode(torch.zeros(1, 64, 64, 3))


def test_a_bundle_gives_the_same_latents(camera, tmp_path):
    tokenizer = sharp_tokenizer(camera)
    save_tokenizer(tmp_path, tokenizer, METADATA | {"tokenizer": {"name": "keypoints", "num_keypoints": 1, "width": 2}})
    again, _ = load_tokenizer(tmp_path)
    frames = torch.from_numpy(camera.render(np.array([[1.3, 2.7], [4.1, 5.2]])))
    assert torch.equal(again.encode(frames), tokenizer.encode(frames))


@pytest.mark.parametrize(
    "claim",
    [
        {"name": "keypoints", "num_keypoints": 10**9, "width": 8},
        {"name": "keypoints", "num_keypoints": 1, "width": 10**9},
        {"name": "keypoints", "width": 2, "frame_shape": [9, 9, 9]},
        {"name": "something"},
        {"name": "keypoints", "depth": 2},
        ["keypoints"],
    ],
)
def test_a_description_that_its_tensors_contradict_is_refused(claim, camera, tmp_path):
    save_tokenizer(tmp_path, sharp_tokenizer(camera), {"tokenizer": claim})
    with pytest.raises(UserError):
        load_tokenizer(tmp_path)


def test_weights_of_a_planner_are_no_tokenizer(tmp_path):
    save_bundle(tmp_path, {"denoiser.weight": torch.ones(3)}, METADATA)
    with pytest.raises(UserError, match="does not describe a frame tokenizer"):
        load_tokenizer(tmp_path)


def test_a_history_without_actions_has_its_mean_speed(camera, tmp_path):
    estimator = StateEstimator(sharp_tokenizer(camera), folder=tmp_path, motion=MOTION)
    history = np.array([[[1.0, 1.0]], [[1.1, 1.0]], [[1.4, 0.9]]])
    np.testing.assert_allclose(estimator.observations(history), [[1.4, 0.9, 20.0, -5.0]], rtol=1e-5)
    np.testing.assert_array_equal(estimator.observations(history[:1]), [[1, 1, 0, 0]])


def test_goals_are_positions_or_pictures_of_them(camera, tmp_path):
    estimator = StateEstimator(sharp_tokenizer(camera), folder=tmp_path, motion=MOTION)
    places = np.array([[1.0, 1.0], [3.0, 2.0]])
    np.testing.assert_array_equal(estimator.goals(places), places)
    np.testing.assert_allclose(estimator.goals(camera.render(places)), places, atol=0.3)
    with pytest.raises(UserError, match="pictures"):
        estimator.goals(np.zeros((2, 8, 8)))


def test_a_planner_refuses_the_eyes_of_another(camera, tmp_path):
    claim = {"tokenizer": {"name": "keypoints", "num_keypoints": 1, "width": 2}}
    save_tokenizer(tmp_path / "tokenizer", sharp_tokenizer(camera), claim)
    folder = tmp_path / "tokenizer"
    description = StateEstimator(load_keypoints(folder), folder=folder, motion=MOTION).description()
    assert load_estimator(tmp_path, description).motion == MOTION
    tensors, metadata = load_bundle(tmp_path / "tokenizer")
    tensors["tokenizer.origin"] = tensors["tokenizer.origin"] + 1
    save_bundle(tmp_path / "tokenizer", tensors, metadata)
    with pytest.raises(UserError, match="not the tokenizer"):
        load_estimator(tmp_path, description)
    motion = description["motion"]
    for wrong in (
        {},
        motion | {"speed_gain": 1.5},
        motion | {"point_mass": {"decay": 0.9}},
        motion | {"point_mass": 1},
    ):
        broken = description | {"motion": wrong}
        with pytest.raises(UserError, match="how it sees frames"):
            load_estimator(tmp_path, broken)
