"""PushT by pictures: what is drawn of recorded states is what the environment shows in them."""

import json

import gymnasium
import numpy as np
import pytest

from dfplan.cli.main import main
from dfplan.domains.find import find_domain

pytest.importorskip("gym_pusht")
from dfplan.domains.pusht_demonstrations import as_points
from dfplan.domains.pusht_scene import ENV_ID, PIXELS_ID, corners, draw

LENGTHS = (14, 18)


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """States of two short episodes, as Diffusion Policy has them, in the folder that is worked in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DFPLAN_CACHE", str(tmp_path / "cache"))
    generator, states = np.random.default_rng(0), []
    for length in LENGTHS:
        share = np.linspace(1, 0.05, length)[:, None]
        places = 256 + share * generator.uniform(-60, 60, 2)
        states.append(np.concatenate([places + np.array([60, -40]), places, np.mod(np.pi / 4 + share, 6.28)], axis=1))
    states = np.concatenate(states).astype(np.float32)
    np.savez("pusht.npz", states=states, actions=states[:, :2] - 5, episode_ends=np.cumsum(LENGTHS))
    return "pusht.npz"


def test_a_scene_is_drawn_as_the_environment_shows_it():
    env = gymnasium.make(ENV_ID, obs_type="pixels_agent_pos", disable_env_checker=True)
    for seed in range(3):
        shown, info = env.reset(seed=seed)
        x, y, angle = info["block_pose"]
        scene = np.append(shown["agent_pos"] @ [1, 1j], corners(np.array(x + 1j * y), np.array(angle)))
        drawn = draw(scene[None])[0].astype(int)
        assert (np.abs(drawn - shown["pixels"]).max(axis=2) > 0).mean() < 0.005  # rounding, at the edges


def test_data_are_states_of_which_pictures_are_drawn(recorded):
    domain = find_domain(PIXELS_ID)
    assert domain.shows_frames
    data = domain.load(recorded, say=print)
    shown = domain.show(data)
    assert shown.observations.shape == (len(data), 4)
    assert shown.pictures["pixels"].at(np.array([0, 5])).shape == (2, 2, 96, 96, 3)
    now = as_points(data.observations)
    np.testing.assert_array_equal(
        draw(now[5:6, [1, *range(10, 18)]])[0], shown.pictures["pixels"].at(np.array([5]))[0, 1]
    )
    env = domain.make()
    first, _ = env.reset(seed=0)
    record = domain.observation(first)
    assert record.dtype["pixels"].shape == (2, 96, 96, 3)
    assert domain.spec.observation_dim == 4


@pytest.mark.slow
def test_a_planner_of_pictures_is_trained_and_evaluated(recorded, tmp_path):
    tiny = ["training.num_steps=2", "training.batch_size=4", "training.compiled=false", "threads=1", "device=cpu"]
    common = [f"env={PIXELS_ID}", f"data={recorded}", *tiny]
    assert main(["train", "task=autoencoder", *common, "task.width=8", "task.pooled=8", "output=eyes"]) == 0
    seeing = ["frames.tokenizer=eyes", "frames.stack=1", "windows.validation_share=0"]
    assert main(["train", *common, *seeing, "model.width=16", "model.num_layers=1", "output=run"]) == 0
    few = ["n_episodes=1", "threads=1", "report=false", "output=scores"]
    assert main(["eval", f"env={PIXELS_ID}", "weights=run", *few]) == 0
    metrics = json.loads((tmp_path / "scores" / "results.json").read_text())["metrics"]
    assert 0 <= metrics["coverage"]["mean"] <= 0.95
