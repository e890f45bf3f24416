"""Two blocks change places by way of a third: what success is, that the past is needed, and what is seen."""

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import dfplan_envs
from dfplan_envs.swap import PixelSwapEnv, SwapEnv
from dfplan_envs.swap_driver import Swapper
from dfplan_envs.swap_picture import draw
from dfplan_envs.swap_table import PLACES, REST

assert dfplan_envs  # registers

RED, BLUE, GREY = (213, 94, 0), (0, 114, 178), (60, 60, 66)


def drive(env, seed, *, noise=0.0, most=140):
    """Observations until the episode ends, and whether it ended in success."""
    generator = np.random.default_rng(seed)
    driver = Swapper(np.random.default_rng(seed))
    seen = [env.reset(seed=seed)[0]]
    for _ in range(most):
        action = np.clip(driver(seen[-1]) + noise * generator.standard_normal(4), -1, 1)
        observed, reward, terminated, _, info = env.step(action)
        seen.append(observed)
        assert reward == info["is_success"]
        if terminated:
            return np.array(seen), info["is_success"]
    return np.array(seen), False


def places_of(state):
    """The nearest of the three places, of red and of blue."""
    return [int(np.linalg.norm(PLACES - state[k : k + 2], axis=1).argmin()) for k in (4, 7)]


@pytest.mark.parametrize("env_id", ["swap-v0", "pixel-swap-v0"])
def test_gymnasium_accepts_it(env_id):
    check_env(gymnasium.make(env_id, render_mode="rgb_array").unwrapped)


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_the_driver_swaps(noise):
    env = SwapEnv()
    for seed in range(6):
        seen, success = drive(env, seed, noise=noise)
        assert success
        assert places_of(seen[-1]) == places_of(seen[0])[::-1]
        assert np.linalg.norm(seen[-1][:3] - REST) < 0.04


def test_to_rest_without_having_swapped_ends_the_episode_and_is_no_success():
    env = SwapEnv()
    env.reset(seed=0)
    ways = [[0, 1, 0, -1]] * 4 + [[0, -1, 0, -1]] * 4
    ended = [env.step(np.array(action, np.float32)) for action in ways]
    assert [terminated for _, _, terminated, _, _ in ended].index(True) >= 5
    assert not ended[-1][4]["is_success"]


def test_halfway_looks_like_the_end_of_another_episode():
    """Red where it was put first, blue where it stood: the beginning alone says whether anything is left to be done."""
    env, first, last = SwapEnv(), {}, {}
    for seed in range(20):
        seen, _ = drive(env, seed)
        is_over_red = np.linalg.norm(seen[:, :2] - seen[:, 4:6], axis=1) < 0.04
        raised = seen[(seen[:, 2] > 0.09) & (seen[:, 3] > 0.08) & is_over_red & (seen[:, 6] < 0.03)]
        at = [tuple(places_of(state)) for state in raised]
        moved = next(number for number, places in enumerate(at) if places != tuple(places_of(seen[0])))
        first[at[moved]], last[at[-1]] = raised[moved], raised[-1]
    assert len(set(first) & set(last)) == 6
    for places in first:
        np.testing.assert_allclose(first[places][:4], last[places][:4], atol=0.05)
        np.testing.assert_allclose(first[places][4:], last[places][4:], atol=0.03)


def test_noise_comes_in_the_share_that_is_asked_for_and_leaves_the_episode_as_it_is():
    plain, noisy = SwapEnv(), SwapEnv(disturbed_share=0.25)
    plain.reset(seed=3)
    told = [noisy.reset(seed=3)[1]["disturbed"]]
    for _ in range(60):
        action = np.array([0.1, 0.1, 0.0, -1.0], np.float32)
        seen, expected = noisy.step(action), plain.step(action)
        told.append(seen[4]["disturbed"])
        assert np.array_equal(seen[0], expected[0]) != told[-1]
    assert 5 <= sum(told) <= 27


def test_by_sight_the_picture_shows_where_blocks_are_and_the_state_is_that_of_the_gripper():
    env, states = PixelSwapEnv(), SwapEnv()
    shown, state = env.reset(seed=5)[0], states.reset(seed=5)[0]
    np.testing.assert_array_equal(shown["state"], state[:4])
    np.testing.assert_array_equal(shown["image"], draw(state[None])[0])
    for color, first in ((RED, 4), (BLUE, 7)):
        rows, columns = np.nonzero((shown["image"] == color).all(axis=-1))
        found = (columns.mean() + 0.5) / 64 * 0.48 - 0.24, 0.24 - (rows.mean() + 0.5) / 64 * 0.48 - 0.05
        np.testing.assert_allclose(found, state[first : first + 2], atol=0.006)


def test_what_is_higher_looks_larger():
    state = np.array([0.1, -0.1, 0.03, 0.08, -0.15, 0, 0.025, 0.15, 0, 0.025], np.float32)
    low, high = draw(np.stack([state, state + np.array([0, 0, 0.08, 0, 0, 0, 0.08, 0, 0, 0], np.float32)]))
    for color in (RED, GREY):
        assert (high == color).all(axis=-1).sum() > (low == color).all(axis=-1).sum()
    np.testing.assert_array_equal((high == BLUE).all(axis=-1), (low == BLUE).all(axis=-1))


def test_a_share_that_is_none_is_refused():
    with pytest.raises(ValueError, match=r"disturbed_share must be between 0 and 1; got 2"):
        SwapEnv(disturbed_share=2)
