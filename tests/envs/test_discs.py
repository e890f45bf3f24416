"""Discs on springs and one that is driven: who moves whom, what is seen, and what is earned."""

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import dfplan_envs
from dfplan_envs.discs import STRIDE, DiscsEnv, PixelDiscsEnv
from dfplan_envs.discs_picture import COLORS, EDGE, draw
from dfplan_envs.discs_table import HOMES, RADII, REACH

assert dfplan_envs  # registers

STILL = np.zeros(2, np.float32)


@pytest.mark.parametrize("env_id", ["discs-v0", "pixel-discs-v0"])
def test_gymnasium_accepts_it(env_id):
    check_env(gymnasium.make(env_id, render_mode="rgb_array").unwrapped)


def test_left_alone_discs_come_to_rest_where_springs_hold_them():
    env = DiscsEnv()
    begun, _ = env.reset(seed=0)
    for _ in range(150):
        state, reward, *_ = env.step(STILL)
    np.testing.assert_allclose(state[2:8].reshape(3, 2), HOMES, atol=0.005)
    np.testing.assert_allclose(state[:2], begun[:2], atol=1e-3)
    np.testing.assert_allclose(state[8:], 0, atol=0.02)
    assert reward == 0


def test_the_driven_disc_goes_where_it_is_sent_and_no_further_than_it_may():
    env = DiscsEnv()
    begun, _ = env.reset(seed=1)
    down = np.array([0, -1], np.float32)  # between the two lower discs there is room
    for _ in range(2):
        env.step(down)
    for _ in range(15):
        state, *_ = env.step(STILL)
    np.testing.assert_allclose(state[:2], begun[:2] + 2 * STRIDE * down, atol=0.02)
    for _ in range(20):
        state, *_ = env.step(down)
    assert -REACH - 0.02 < state[1] < -REACH + 0.02


def test_a_disc_that_is_pushed_leaves_its_home_and_nobody_passes_through():
    env = DiscsEnv()
    state, _ = env.reset(seed=2)
    farthest, nearest = 0.0, np.inf
    for _ in range(40):
        action = np.clip((HOMES[2] - state[:2]) / STRIDE, -1, 1).astype(np.float32)
        state, *_ = env.step(action)
        farthest = max(farthest, float(np.linalg.norm(state[6:8] - HOMES[2])))
        nearest = min(nearest, float(np.linalg.norm(state[:2] - state[6:8])))
    assert farthest > 0.15
    assert nearest > 0.8 * (RADII[0] + RADII[3])


def test_its_driver_moves_all_of_them_and_the_same_seed_the_same_way():
    def drive():
        env, generator = DiscsEnv(), np.random.default_rng(3)
        script, states = DiscsEnv.driver(generator), [env.reset(seed=3)[0]]
        for _ in range(300):
            states.append(env.step(script(states[-1]))[0])
        return np.array(states)

    states = drive()
    away = np.linalg.norm(states[:, 2:8].reshape(-1, 3, 2) - HOMES, axis=2)
    assert (away.max(axis=0) > 0.3).all()
    assert np.abs(states[:, :8]).max() < EDGE / 2
    np.testing.assert_array_equal(states, drive())


def test_by_sight_each_disc_is_where_its_colour_is():
    seen, state = PixelDiscsEnv().reset(seed=5)[0]["image"], DiscsEnv().reset(seed=5)[0]
    np.testing.assert_array_equal(seen, draw(state[None])[0])
    for disc, color in enumerate(COLORS):
        rows, columns = np.nonzero((seen == color).all(axis=-1))
        found = (columns.mean() + 0.5) / 64 * EDGE - EDGE / 2, EDGE / 2 - (rows.mean() + 0.5) / 64 * EDGE
        np.testing.assert_allclose(found, state[2 * disc : 2 * disc + 2], atol=0.03)


def test_an_option_that_is_none_is_refused():
    with pytest.raises(ValueError, match="unknown"):
        DiscsEnv().reset(options={"goal": 1})
