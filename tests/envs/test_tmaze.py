"""The T-maze: the light is out before the arms are in reach, and only the arm that it named pays."""

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import dfplan_envs
from dfplan_envs.tmaze import TMazeEnv

assert dfplan_envs  # registers


def drive(env, target, *, steps=400):
    """Steer towards a point; return the results of all steps."""
    results, state = [], np.array(env.ball.state())
    for _ in range(steps):
        action = np.clip(2 * (3 * (target - state[:2]) - state[2:]), -1, 1)
        results.append(env.step(action))
        state = results[-1][-1]["state"]
        if results[-1][2] or np.abs(target - state[:2]).max() < 0.1:
            break
    return results


def test_gymnasium_accepts_it():
    check_env(gymnasium.make("tmaze-v0", render_mode="rgb_array", disturbed_share=0.3).unwrapped)


@pytest.mark.parametrize("cue", [-1, 1])
@pytest.mark.parametrize("arm", [-1, 1])
def test_the_arm_that_was_named_pays_and_either_arm_ends_the_episode(cue, arm):
    env = TMazeEnv()
    _, info = env.reset(seed=0, options={"cue": cue})
    assert (info["cue"], info["choice"], info["success"]) == (cue, 0, False)
    way = drive(env, env.junction)
    assert not any(terminated for _, _, terminated, _, _ in way)
    *before, last = drive(env, env.arms[arm])
    assert [reward for _, reward, *_ in before] == [0.0] * len(before)
    _, reward, terminated, truncated, info = last
    assert (reward, terminated, truncated) == (float(arm == cue), True, False)
    assert (info["choice"], info["success"]) == (arm, arm == cue)


def test_the_light_shows_the_cue_and_goes_out():
    env = TMazeEnv(light_steps=5)
    for cue in (-1, 1):
        seen = [env.reset(seed=0, options={"cue": cue})[0]]
        seen += [env.step(np.zeros(2))[0] for _ in range(9)]
        assert [observation[4] for observation in seen] == [cue] * 5 + [0] * 5


def test_at_full_force_the_light_is_out_before_the_junction():
    env = TMazeEnv()
    env.reset(seed=0)
    states = [env.step(np.array([-1.0, 0.0]))[-1]["state"] for _ in range(100)]
    away = np.linalg.norm(np.array(states)[:, :2] - env.junction, axis=1)
    assert (away[: env.light_steps + 8] > 1).all()  # not even in the cell before it
    assert away.min() < 0.5


def test_without_the_light_the_cue_changes_nothing_that_is_seen():
    left, right = TMazeEnv(), TMazeEnv()
    seen = [env.reset(seed=3, options={"cue": cue})[0] for env, cue in ((left, -1), (right, 1))]
    actions = np.random.default_rng(0).uniform(-1, 1, size=(100, 2))
    for action in actions:
        np.testing.assert_array_equal(seen[0][:4], seen[1][:4])
        seen = [env.step(action)[0] for env in (left, right)]
    np.testing.assert_array_equal(seen[0], seen[1])


def test_both_cues_are_as_likely_and_a_seed_is_an_episode():
    env = TMazeEnv()
    cues = [env.reset(seed=seed)[1]["cue"] for seed in range(400)]
    assert 160 < cues.count(1) < 240
    assert cues == [env.reset(seed=seed)[1]["cue"] for seed in range(400)]


def test_disturbed_observations_are_noise_and_marked_and_the_world_stays_the_same():
    calm, noisy = TMazeEnv(), TMazeEnv(disturbed_share=0.25)
    clean, _ = calm.reset(seed=1)
    seen, info = noisy.reset(seed=1)
    rows = [(clean, seen, info["disturbed"])]
    for _ in range(800):
        clean, *_, true = calm.step(np.array([0.01, 0.01]))
        seen, *_, info = noisy.step(np.array([0.01, 0.01]))
        np.testing.assert_array_equal(true["state"], info["state"])
        rows.append((clean, seen, info["disturbed"]))
    marks = np.array([mark for *_, mark in rows])
    assert 0.2 < marks.mean() < 0.3
    differs = np.array([not np.array_equal(clean, seen) for clean, seen, _ in rows])
    np.testing.assert_array_equal(differs, marks)
    assert all(noisy.observation_space.contains(seen) for _, seen, _ in rows)
    lights = np.array([seen[4] for _, seen, mark in rows if mark])
    assert abs(lights.mean()) < 0.2  # says nothing of the cue


@pytest.mark.parametrize(
    ("arguments", "message"), [({"light_steps": 0}, "light_steps"), ({"disturbed_share": 1.5}, "disturbed_share")]
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        TMazeEnv(**arguments)


def test_wrong_options_are_refused():
    env = TMazeEnv()
    with pytest.raises(ValueError, match="cue must be -1"):
        env.reset(options={"cue": 0})
    with pytest.raises(ValueError, match="unknown reset option"):
        env.reset(options={"goal": (1, 1)})
