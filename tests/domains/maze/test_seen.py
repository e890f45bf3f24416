"""What a planner that sees is told of its data: how the agent moves is measured on where it was seen alone."""

import numpy as np
import pytest

from dfplan.domains.frames_settings import FramesSettings
from dfplan.domains.maze.dynamics import fit_dynamics
from dfplan.domains.maze.motion import follow_trajectories
from dfplan.domains.maze.seen import fit_motion
from dfplan.domains.maze.sources import load_trajectories

FRAMES = FramesSettings()


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    return load_trajectories("generated", env_id="maze2d-medium-v1", cache_folder=cache, num_steps=20_000)


def test_how_the_agent_moves_is_found_from_noisy_positions(data):
    noise = 0.002 * np.random.default_rng(0).normal(size=(len(data), 2))  # a keypoint tokenizer's
    positions = (data.observations[:, :2] + noise).astype(np.float32)
    found, true = fit_motion(data, positions, FRAMES), fit_dynamics(data)
    assert found.dynamics.gain == pytest.approx(true.gain, rel=0.02)
    assert found.dynamics.decay == pytest.approx(true.decay, abs=0.003)
    assert found.dynamics.step == FRAMES.step_seconds
    told = follow_trajectories(data, positions, motion=found)
    error = (told.observations - data.observations)[:, 2:]
    alone = np.diff(positions, axis=0) / FRAMES.step_seconds - data.observations[1:, 2:]
    assert error.std() < 0.5 * alone.std()
