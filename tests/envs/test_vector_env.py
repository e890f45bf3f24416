"""Environment k of a batch is the single environment of seed k."""

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

import dfplan_envs  # noqa: F401  (registers the environments)


def build(env_id="maze2d-large-v1", *, num_envs=3, **arguments):
    return gymnasium.make_vec(env_id, num_envs=num_envs, vectorization_mode="vector_entry_point", **arguments)


@pytest.mark.parametrize("env_id", ["maze2d-large-v1", "maze2d-umaze-dense-v1"])
@pytest.mark.parametrize("goal", ["fixed", "random"])
def test_each_is_identical_to_a_single_environment(env_id, goal):
    seeds = [11, 5, 2**40]
    batch = build(env_id, goal=goal)
    singles = [gymnasium.make(env_id, goal=goal) for _ in seeds]
    generator = np.random.default_rng(0)
    for seed in (seeds, [None] * 3):  # the second episode goes on with the random numbers of the first
        observations, info = batch.reset(seed=seed)
        expected = [env.reset(seed=each) for env, each in zip(singles, seed, strict=True)]
        np.testing.assert_array_equal(observations, [observation for observation, _ in expected])
        np.testing.assert_array_equal(info["goal"], [each["goal"] for _, each in expected])
        for _ in range(150):
            actions = generator.uniform(-1.5, 1.5, size=(3, 2)).astype(np.float32)
            observations, rewards, terminated, truncated, info = batch.step(actions)
            expected = [env.step(action) for env, action in zip(singles, actions, strict=True)]
            for ours, theirs in zip(
                (observations, rewards, terminated, truncated), list(zip(*expected, strict=True))[:4], strict=True
            ):
                np.testing.assert_array_equal(ours, theirs)
            np.testing.assert_array_equal(info["success"], [each["success"] for *_, each in expected])


def test_spaces_and_metadata_follow_the_contract():
    env = build(num_envs=4)
    observations, info = env.reset(seed=0)
    assert env.observation_space.contains(observations)
    assert env.action_space.contains(env.action_space.sample())
    assert env.action_space.shape == (4, 2)
    assert env.metadata["autoreset_mode"] is AutoresetMode.DISABLED
    assert info["goal"].shape == (4, 2)
    assert info["success"].dtype == np.bool_


def test_integer_seed_counts_up():
    env = build()
    np.testing.assert_array_equal(env.reset(seed=7)[0], env.reset(seed=[7, 8, 9])[0])


def test_everything_is_truncated_at_the_time_limit_and_stays_so_until_reset():
    env = build("maze2d-open-v0")
    env.reset(seed=0)
    flags = [env.step(np.zeros((3, 2), np.float32))[3] for _ in range(151)]
    assert not np.any(flags[:149])
    assert np.all(flags[149:])
    env.reset(options={"reset_mask": np.array([True, False, True])})
    np.testing.assert_array_equal(env.step(np.zeros((3, 2), np.float32))[3], [False, True, False])


def test_masked_reset_leaves_the_others_alone():
    env = build(goal="random")
    before, info_before = env.reset(seed=0)
    after, info = env.reset(seed=100, options={"reset_mask": np.array([False, True, False])})
    np.testing.assert_array_equal((after == before).all(axis=1), [True, False, True])
    np.testing.assert_array_equal((info["goal"] == info_before["goal"]).all(axis=1), [True, False, True])


def test_starts_and_goals_on_request():
    starts, goals = np.array([[1, 1], [3, 3], [7, 9]]), np.array([[7, 9], [1, 1.1], [3, 3]])
    observations, info = build().reset(seed=0, options={"start": starts, "goal": goals})
    np.testing.assert_array_equal(observations[:, :2], starts)
    np.testing.assert_array_equal(info["goal"], goals)


def test_returned_arrays_are_the_callers_own():
    env = build()
    observations, info = env.reset(seed=0)
    observations[:] = info["goal"][:] = 99
    observations, _, _, _, info = env.step(np.zeros((3, 2), np.float32))
    assert observations.max() < 99
    assert info["goal"].max() < 99


def test_a_refused_reset_changes_nothing():
    env, untouched = build(), build()
    for each in (env, untouched):
        each.reset(seed=0)
    with pytest.raises(ValueError, match="in a wall"):
        env.reset(seed=1, options={"goal": np.array([[1, 1], [1, 1], [0, 0]])})
    actions = np.ones((3, 2), np.float32)
    np.testing.assert_array_equal(env.step(actions)[0], untouched.step(actions)[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": [1, 2]}, "one for each of 3 environments; got 2"),
        ({"options": {"start": (1, 1)}}, r"one \(x, y\) for each of 3 environments; got shape \(2,\)"),
        ({"options": {"reset_mask": np.ones(2, bool)}}, "3 booleans"),
        ({"options": {"begin": None}}, "unknown reset option 'begin'"),
    ],
)
def test_bad_resets_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        build().reset(**arguments)


@pytest.mark.parametrize(("actions", "message"), [(np.zeros((2, 2)), "shape"), (np.full((3, 2), np.nan), "finite")])
def test_bad_actions_are_refused(actions, message):
    env = build()
    env.reset(seed=0)
    with pytest.raises(ValueError, match=message):
        env.step(actions)


def test_pictures_are_those_of_the_single_environment():
    batch, single = (
        build(num_envs=2, render_mode="rgb_array"),
        gymnasium.make("maze2d-large-v1", render_mode="rgb_array"),
    )
    batch.reset(seed=[4, 6])
    single.reset(seed=6)
    frames = batch.render()
    assert len(frames) == 2
    np.testing.assert_array_equal(frames[1], single.render())
