"""Windows begin where their episode does, or anywhere in it, and never leave it."""

import numpy as np
import pytest

from dfplan.data.episode_windows import EpisodeWindows
from dfplan.errors import UserError
from dfplan.types import Trajectories

LENGTHS = (41, 30)  # rows


def counted():
    """Trajectories whose observations are (episode, row in it), and whose actions are the row."""
    rows = np.concatenate([np.arange(length) for length in LENGTHS]).astype(np.float32)
    episode = np.repeat(np.arange(len(LENGTHS)), LENGTHS).astype(np.float32)
    return Trajectories(
        observations=np.stack([episode, rows], axis=1),
        actions=np.stack([rows, -rows], axis=1),
        starts=np.array([0, *np.cumsum(LENGTHS)]),
        segment_ends=np.zeros(sum(LENGTHS), dtype=bool),
        source="counted",
    )


def windows(**changes):
    arguments = {"steps_per_token": 8, "steps_per_point": 8, "num_tokens": 5, "from_start": True} | changes
    return EpisodeWindows(counted(), **arguments)


def test_from_the_start_the_context_is_the_first_observation():
    batch = windows().sample(32, np.random.default_rng(0))
    assert set(batch.context[:, 0]) == {0.0, 1.0}
    assert (batch.context[:, 1] == 0).all()
    assert (batch.actions[:, :29, 0] == np.arange(29)).all()


def test_anywhere_covers_the_episode_and_stays_inside():
    batch = windows(from_start=False).sample(2000, np.random.default_rng(0))
    first = batch.context[:, 1].astype(int)
    for episode, length in enumerate(LENGTHS):
        assert set(first[batch.context[:, 0] == episode]) == set(range(length - 8))
    assert (batch.observations[..., 0] == batch.context[:, None, 0]).all()
    assert batch.valid[:, 0].all()
    expected = first[:, None] + 8 * np.arange(1, 6)
    last = np.array(LENGTHS)[batch.context[:, 0].astype(int)] - 1
    np.testing.assert_array_equal(batch.valid, expected <= last[:, None])
    assert (batch.observations[..., 1][batch.valid] == expected[batch.valid]).all()


def test_the_same_generator_gives_the_same_batch():
    first, second = (windows(from_start=False).sample(8, np.random.default_rng(4)) for _ in range(2))
    np.testing.assert_array_equal(first.observations, second.observations)


def test_episodes_shorter_than_a_token_are_refused():
    with pytest.raises(UserError, match="29 steps, less than a token"):
        windows(steps_per_token=30)
