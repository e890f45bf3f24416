"""The closed door: seen at the start alone, it leaves one way to the goal, and no time for both."""

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import dfplan_envs
from dfplan_envs.closed_door import MAX_EPISODE_STEPS, ClosedDoorEnv

assert dfplan_envs  # registers


def drive(env, places):
    """Steer through places until the episode ends or time is up; return the observations and whether it succeeded."""
    seen, left = [], list(places)
    state = np.array(env.ball.state())
    for _ in range(MAX_EPISODE_STEPS):
        if len(left) > 1 and np.linalg.norm(left[0] - state[:2]) < 0.3:
            left = left[1:]
        way = left[0] - state[:2]
        wanted = 4.5 * way / max(np.linalg.norm(way), 0.5)
        observed, reward, terminated, _, info = env.step(np.clip(2 * (wanted - state[2:]), -1, 1))
        state = info["state"]
        seen.append(observed)
        assert (reward == 1) == terminated == info["is_success"]
        if terminated:
            break
    return seen, terminated


def test_gymnasium_accepts_it():
    check_env(gymnasium.make("closed-door-v0", render_mode="rgb_array").unwrapped)


@pytest.mark.parametrize("door", [-1, 1])
def test_the_open_way_leads_to_the_goal_and_of_the_other_there_is_no_time_to_turn_back(door):
    env = ClosedDoorEnv()
    env.reset(seed=0, options={"cue": door})
    assert drive(env, env.ways[door])[1]
    env.reset(seed=0, options={"cue": door})
    assert not drive(env, env.ways[-door])[1]
    env.reset(seed=0, options={"cue": door})
    junction, corner, turn, _ = env.ways[-door]
    assert not drive(env, [junction, corner, turn, corner, *env.ways[door]])[1]


@pytest.mark.parametrize("door", [-1, 1])
def test_the_door_is_seen_at_the_start_and_long_before_the_ways_part(door):
    env = ClosedDoorEnv()
    first, info = env.reset(seed=3, options={"cue": door})
    seen, _ = drive(env, env.ways[door])
    shown = [int(each["observation"][2]) for each in (first, *seen)]
    assert shown == [door] * 8 + [0] * (len(shown) - 8)
    apart = np.linalg.norm([each["achieved_goal"] - env.ways[door][0] for each in seen], axis=1)
    assert (apart[:8] > 1).all()
    assert info["cue"] == door


def test_the_start_and_the_goal_are_the_same_for_either_door():
    env = ClosedDoorEnv()
    (one, _), (other, _) = (env.reset(seed=5, options={"cue": door}) for door in (-1, 1))
    for name in ("achieved_goal", "desired_goal"):
        np.testing.assert_array_equal(one[name], other[name])
    doors = [env.reset(seed=seed)[1]["cue"] for seed in range(40)]
    assert 8 < doors.count(1) < 32


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="door_steps must be at least 1"):
        ClosedDoorEnv(door_steps=0)
    with pytest.raises(ValueError, match="the left door is closed"):
        ClosedDoorEnv().reset(options={"cue": 2})
