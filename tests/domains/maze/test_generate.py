"""Generated data are D4RL's: keys, types, habits, and the published statistics."""

import json
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from dfplan.domains.maze.generate import generate_maze2d
from dfplan.errors import UserError

PUBLISHED = json.loads((Path(__file__).parents[3] / "benchmarks" / "data_statistics" / "published.json").read_text())


@pytest.fixture(scope="module")
def arrays():
    return generate_maze2d("maze2d-umaze-v1", num_steps=20_000, seed=0)


def test_keys_shapes_and_types(arrays):
    found = {key: (array.shape, array.dtype.str) for key, array in arrays.items()}
    assert found == {
        "observations": ((20_000, 4), "<f4"),
        "actions": ((20_000, 2), "<f4"),
        "rewards": ((20_000,), "<f4"),
        "terminals": ((20_000,), "|b1"),
        "timeouts": ((20_000,), "|b1"),
        "infos/goal": ((20_000, 2), "<f4"),
        "infos/qpos": ((20_000, 2), "<f4"),
        "infos/qvel": ((20_000, 2), "<f4"),
    }
    assert not arrays["terminals"].any()
    assert arrays["timeouts"].sum() > 100


def test_observation_is_stale_for_one_row_after_a_timeout_while_the_ball_moves_on(arrays):
    ends = np.flatnonzero(arrays["timeouts"][:-1])
    states = np.concatenate([arrays["infos/qpos"], arrays["infos/qvel"]], axis=1)
    np.testing.assert_array_equal(arrays["observations"][ends + 1], arrays["observations"][ends])
    assert (states[ends + 1] != states[ends]).any(axis=1).all()
    stale = (arrays["observations"] != states).any(axis=1)
    np.testing.assert_array_equal(np.flatnonzero(stale), ends + 1)


def test_true_state_follows_from_the_recorded_actions(arrays):
    """One unbroken trajectory, timeouts and all: each recorded state and action give the next state."""
    ball = gymnasium.make("dfplan_envs:maze2d-umaze-v1").unwrapped.ball
    states = np.concatenate([arrays["infos/qpos"], arrays["infos/qvel"]], axis=1).astype(np.float64)
    for t in range(3000):
        ball.set_state(*states[t].tolist())
        np.testing.assert_allclose(ball.step(*arrays["actions"][t].tolist()), states[t + 1], atol=2e-5)


def test_a_timeout_marks_arrival_at_the_cell_of_the_navigation_goal(arrays):
    """The goal changes exactly after timeouts, to a noisy place in some cell; what counts is the cell."""
    changes = (np.diff(arrays["infos/goal"], axis=0) != 0).any(axis=1)
    np.testing.assert_array_equal(changes, arrays["timeouts"][:-1])
    cells = np.rint(arrays["infos/goal"])
    assert np.abs(arrays["infos/goal"] - cells).max() <= 0.1 + 1e-6
    distance = np.linalg.norm(arrays["observations"][:, :2] - cells, axis=1)
    assert distance[arrays["timeouts"]].max() < 0.1


def test_rewards_belong_to_the_observation_and_the_fixed_goal(arrays):
    distance = np.linalg.norm(arrays["observations"][:, :2].astype(np.float64) - [1, 1], axis=1)
    np.testing.assert_array_equal(arrays["rewards"], distance <= 0.5)
    dense = generate_maze2d("maze2d-umaze-dense-v1", num_steps=500, seed=0)
    np.testing.assert_array_equal(dense["observations"], arrays["observations"][:500])
    np.testing.assert_allclose(dense["rewards"], np.exp(-distance[:500]), rtol=1e-6)


def test_same_seed_same_data_and_a_longer_run_begins_with_the_shorter(arrays):
    shorter = generate_maze2d("maze2d-umaze-v1", num_steps=12_345, seed=0)
    for key, array in shorter.items():
        np.testing.assert_array_equal(array, arrays[key][:12_345])
    other = generate_maze2d("maze2d-umaze-v1", num_steps=10, seed=1)
    assert not np.array_equal(other["observations"], arrays["observations"][:10])


def test_noise_shows_in_the_spread_of_the_actions(arrays):
    """Published data are the noisy variant; without noise the spread of the two axes differs more."""
    clean = generate_maze2d("maze2d-umaze-v1", num_steps=20_000, seed=0, noise=0.0)
    np.testing.assert_allclose(clean["actions"].std(axis=0), [0.6755, 0.7762], rtol=0.02)
    np.testing.assert_allclose(arrays["actions"].std(axis=0), [0.7044, 0.7506], rtol=0.02)


def test_progress_is_told():
    told = []
    generate_maze2d("maze2d-open-v0", num_steps=25_000, seed=0, on_progress=told.append)
    assert told == [10_000, 20_000, 25_000]


@pytest.mark.parametrize(
    ("env_id", "arguments", "message"),
    [
        ("maze2d-umaze-v1", {"num_steps": 0}, "num_steps must be at least 1; got 0"),
        ("maze2d-umaze-v1", {"noise": -1.0}, "noise must be"),
        ("maze2d-umaze-v1", {"noise": float("nan")}, "noise must be"),
        ("maze2d-huge-v1", {}, "no environment 'maze2d-huge-v1'"),
        ("CartPole-v1", {}, "CartPole-v1 is not a maze"),
        ("tmaze-v0", {}, "task=memory"),
    ],
)
def test_mistakes_are_named(env_id, arguments, message):
    with pytest.raises(UserError, match=message):
        generate_maze2d(env_id, **{"num_steps": 10, "seed": 0, **arguments})


@pytest.mark.slow
@pytest.mark.parametrize("name", ["umaze", "medium", "large"])
def test_statistics_are_those_of_the_published_files(name):
    """A fraction of the published length: spreads within 2 %, means within their own sampling error."""
    num_steps = {"umaze": 600_000, "medium": 800_000, "large": 1_000_000}[name]
    arrays = generate_maze2d(f"maze2d-{name}-v1", num_steps=num_steps, seed=0)
    published = PUBLISHED[name]
    observations, actions = arrays["observations"].astype(np.float64), arrays["actions"].astype(np.float64)
    np.testing.assert_allclose(observations.std(axis=0), published["observation_std"], rtol=0.02)
    np.testing.assert_allclose(actions.std(axis=0), published["action_std"], rtol=0.02)
    # Positions stay correlated over hundreds of steps, so their means and the reward's are known far less well.
    np.testing.assert_allclose(observations[:, :2].mean(axis=0), published["position_mean"], rtol=0.05)
    assert arrays["rewards"].mean(dtype=np.float64) == pytest.approx(published["reward_mean"], rel=0.15)
