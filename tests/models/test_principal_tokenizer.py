"""Principal components: those of a library, a projection, and whole again from disk."""

import numpy as np
import pytest
import torch

from dfplan.domains.maze.demonstrations import build_tmaze
from dfplan.errors import UserError
from dfplan.models.tokenizers import PrincipalTokenizer, load_tokenizer, save_tokenizer, to_pictures


@pytest.fixture(scope="module")
def frames():
    """Frames ``(120, 64, 64, 3)`` along the stem of the T-maze, the lamp left, right or out."""
    env = build_tmaze("pixel-tmaze-v0")
    generator = np.random.default_rng(0)
    states = np.zeros((120, 4))
    states[:, 0], states[:, 1] = generator.uniform(1, 4, size=120), 2.8
    return torch.from_numpy(env.observe(states, light=generator.integers(-1, 2, size=120)))


@pytest.fixture(scope="module")
def tokenizer(frames):
    tokenizer = PrincipalTokenizer(latent_dim=8)
    tokenizer.fit(frames)
    return tokenizer


def test_the_components_are_those_of_scikit_learn(frames, tokenizer):
    decomposition = pytest.importorskip("sklearn.decomposition")
    reference = decomposition.PCA(n_components=8, svd_solver="full").fit(to_pictures(frames).flatten(1).double())
    found = tokenizer.components.flatten(1).numpy()
    np.testing.assert_allclose(found @ found.T, np.eye(8), atol=1e-4)
    agreement = np.abs((found[::-1] * reference.components_).sum(axis=1))  # theirs come largest first
    np.testing.assert_allclose(agreement, 1, atol=1e-3)


def test_latents_are_standardized_and_decoding_is_a_projection(frames, tokenizer):
    latents = tokenizer.encode(frames)
    torch.testing.assert_close(latents.mean(dim=0), torch.zeros(8), atol=1e-3, rtol=0)
    torch.testing.assert_close(latents.std(dim=0), torch.ones(8), atol=1e-3, rtol=0)
    raw = tokenizer.normalizer.back(latents)
    torch.testing.assert_close(tokenizer.encode_raw(tokenizer.decode_raw(raw)), raw, atol=1e-3, rtol=1e-3)
    error = (to_pictures(frames) - tokenizer.decode_raw(raw)).square().mean()
    assert error < 0.5 * to_pictures(frames).var(dim=0).mean()


def test_it_travels_in_a_bundle(frames, tokenizer, tmp_path):
    save_tokenizer(tmp_path, tokenizer, {"tokenizer": {"name": "principal", "latent_dim": 8}})
    loaded, _ = load_tokenizer(tmp_path)
    assert torch.equal(loaded.encode(frames), tokenizer.encode(frames))


def test_fewer_frames_than_components_are_refused(frames):
    with pytest.raises(UserError, match="need more frames than 8"):
        PrincipalTokenizer(latent_dim=8).fit(frames[:8])
