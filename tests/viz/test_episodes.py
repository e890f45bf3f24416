"""The picture of episodes in any environment."""

import numpy as np
import pytest
from PIL import Image

from dfplan.viz.episodes import draw_episodes


@pytest.mark.parametrize("observation_dim", [1, 39])
def test_episodes_of_any_size_are_drawn(tmp_path, observation_dim):
    rewards = [np.ones(5), -np.ones(3)]
    observations = [np.ones((len(each) + 1, observation_dim)) for each in rewards]
    path = draw_episodes(rewards, observations, path=tmp_path / "rollouts.png", title="two")
    colours = np.unique(np.asarray(Image.open(path).convert("RGB")).reshape(-1, 3), axis=0)
    assert len(colours) > 100  # lines, axes and legend, not an empty sheet
