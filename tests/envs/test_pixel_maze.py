"""The pixel mazes are maze2d seen through a camera: the same physics and goals, frames in the place of states."""

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import dfplan_envs

IDS = [f"pixelmaze-{name}-v1" for name in dfplan_envs.MAZE_NAMES]


def draw_actions(*shape):
    return np.random.default_rng(0).uniform(-1.5, 1.5, size=(*shape, 2)).astype(np.float32)


@pytest.mark.parametrize("env_id", IDS)
def test_gymnasium_accepts_it(env_id):
    check_env(gymnasium.make(env_id, render_mode="rgb_array").unwrapped)


@pytest.mark.parametrize("goal", ["fixed", "random"])
def test_the_world_is_that_of_maze2d_and_the_frame_is_the_camera_at_the_position(goal):
    pixels, states = gymnasium.make("pixelmaze-medium-v1", goal=goal), gymnasium.make("maze2d-medium-v1", goal=goal)
    camera = pixels.unwrapped.camera
    for seed in (3, None):
        frame, info = pixels.reset(seed=seed)
        state, expected = states.reset(seed=seed)
        goal_image = camera.render(expected["goal"])
        for action in draw_actions(60):
            np.testing.assert_array_equal(info["position"], state[:2])
            np.testing.assert_array_equal(info["goal"], expected["goal"])
            np.testing.assert_array_equal(frame, camera.render(state[:2]))
            np.testing.assert_array_equal(info["goal_image"], goal_image)
            frame, *rest, info = pixels.step(action)
            state, *expected_rest, expected = states.step(action)
            assert rest == expected_rest
            assert info["success"] == expected["success"]


def test_starts_and_goals_on_request():
    env = gymnasium.make("pixelmaze-large-v1")
    frame, info = env.reset(seed=0, options={"start": (3, 3), "goal": (1.1, 1)})
    np.testing.assert_array_equal(info["position"], [3, 3])
    np.testing.assert_array_equal(frame, env.unwrapped.camera.render(np.array([3, 3])))
    np.testing.assert_array_equal(info["goal_image"], env.unwrapped.camera.render(np.array([1.1, 1])))


def test_the_time_limit_is_that_of_maze2d():
    for name in dfplan_envs.MAZE_NAMES:
        assert (
            gymnasium.spec(f"pixelmaze-{name}-v1").max_episode_steps == dfplan_envs.build_maze(name).max_episode_steps
        )


@pytest.mark.parametrize("vectorization", ["vector_entry_point", "sync", "async"])
def test_each_of_a_batch_is_identical_to_a_single_environment(vectorization):
    seeds = [11, 5, 2**40]
    batch = gymnasium.make_vec(
        "dfplan_envs:pixelmaze-umaze-v1", num_envs=3, vectorization_mode=vectorization, goal="random"
    )
    singles = [gymnasium.make("pixelmaze-umaze-v1", goal="random") for _ in seeds]
    try:
        frames, info = batch.reset(seed=seeds)
        expected = [env.reset(seed=seed) for env, seed in zip(singles, seeds, strict=True)]
        for actions in draw_actions(5, 3):
            assert batch.observation_space.contains(frames)
            np.testing.assert_array_equal(frames, [each[0] for each in expected])
            for name in ("goal", "goal_image", "position", "success"):
                np.testing.assert_array_equal(info[name], [each[-1][name] for each in expected])
            frames, *_, info = batch.step(actions)
            expected = [env.step(action) for env, action in zip(singles, actions, strict=True)]
    finally:
        batch.close()


def test_masked_reset_leaves_the_others_alone():
    env = gymnasium.make_vec("pixelmaze-umaze-v1", num_envs=3, vectorization_mode="vector_entry_point", goal="random")
    before, info_before = env.reset(seed=0)
    after, info = env.reset(seed=100, options={"reset_mask": np.array([False, True, False])})
    np.testing.assert_array_equal((after == before).all(axis=(1, 2, 3)), [True, False, True])
    same_goal = (info["goal_image"] == info_before["goal_image"]).all(axis=(1, 2, 3))
    np.testing.assert_array_equal(same_goal, [True, False, True])


def test_the_goal_and_the_velocity_are_not_in_the_frame():
    env = gymnasium.make("pixelmaze-large-v1")
    first, info = env.reset(seed=0, options={"start": (3, 3), "goal": (1, 1)})
    second, other = env.reset(seed=1, options={"start": (3, 3), "goal": (7, 9)})
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(info["goal_image"], other["goal_image"])


def test_a_wrong_view_is_refused():
    with pytest.raises(ValueError, match="unknown view 'side'; choose one of top, egocentric, mujoco"):
        gymnasium.make("pixelmaze-umaze-v1", view="side")
