"""A room in which others walk: they keep to it, follow from the seed, and a touch ends the episode."""

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import dfplan_envs
from dfplan_envs.movers import GOAL_RADIUS, MAX_SPEED, RADIUS, SIZE, MoversEnv, Walkers

assert dfplan_envs  # registers


@pytest.mark.parametrize("name", ["movers-3-v0", "movers-adversary-v0"])
def test_gymnasium_accepts_it(name):
    check_env(gymnasium.make(name, render_mode="rgb_array").unwrapped)


def test_walkers_come_to_goals_and_stay_within_the_walls():
    walkers = Walkers(50, generator=np.random.default_rng(0), speeds=(0.3, 1.0))
    arrivals = 0
    for _ in range(100):
        goals = walkers.goals
        walkers.step(walkers.act())
        arrivals += int((walkers.goals != goals).any(axis=1).sum())
        places, velocities = walkers.states[:, :2], walkers.states[:, 2:]
        assert (np.abs(places - SIZE / 2) <= SIZE / 2 - RADIUS).all()
        assert (np.linalg.norm(velocities, axis=1) <= 1.5 * MAX_SPEED).all()
    assert arrivals > 50


def test_an_episode_follows_from_its_seed():
    seen = []
    for _ in range(2):
        env = MoversEnv(num_movers=4)
        env.reset(seed=3)
        seen.append([env.step(np.array([0.5, 0.0]))[0]["observation"] for _ in range(20)])
    np.testing.assert_array_equal(*seen)


def test_an_episode_begins_with_room_and_ends_at_the_goal_or_by_a_touch():
    ends = {"is_success": 0, "collided": 0}
    for seed in range(30):
        env = MoversEnv(num_movers=4)
        seen, info = env.reset(seed=seed)
        others = seen["observation"][2:].reshape(4, 4)[:, :2]
        assert np.linalg.norm(others - seen["achieved_goal"], axis=1).min() > 1.1
        over = False
        for _ in range(120):
            way = seen["desired_goal"] - seen["achieved_goal"]
            seen, reward, over, _, info = env.step(way / np.linalg.norm(way))
            touches = np.linalg.norm(seen["observation"][2:].reshape(4, 4)[:, :2] - seen["achieved_goal"], axis=1)
            assert info["collided"] == (touches.min() < 2 * RADIUS)
            assert over == (info["is_success"] or info["collided"])
            assert reward == info["is_success"]
            if over:
                break
        for name in ends:
            ends[name] += info[name]
        if info["is_success"]:
            assert np.linalg.norm(seen["desired_goal"] - seen["achieved_goal"]) <= GOAL_RADIUS + 1e-5
    assert min(ends.values()) >= 3, ends


def test_the_adversary_does_what_it_is_told_and_is_slower():
    env = gymnasium.make("movers-adversary-v0").unwrapped
    seen, _ = env.reset(seed=0)
    velocities = []
    for way in (1.0, -1.0):
        for _ in range(12):
            seen, *_ = env.step(np.array([0.0, 0.0, way, 0.0]))
            velocities.append(way * seen["observation"][4])
    assert 0.6 * MAX_SPEED < max(velocities) <= 0.7 * MAX_SPEED + 1e-6
    with pytest.raises(ValueError, match="num_movers must be at least 1"):
        MoversEnv(num_movers=0, adversary=True)
