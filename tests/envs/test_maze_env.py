"""The single environment keeps Gymnasium's contract and D4RL's rules."""

import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import dfplan_envs
from dfplan_envs.maze_env import MazeEnv

IDS = sorted(env_id for env_id in gymnasium.registry if env_id.startswith("maze2d-"))


def build(env_id="maze2d-large-v1", **arguments):
    return gymnasium.make(env_id, **arguments)


def test_every_id_of_d4rl_is_registered():
    assert len(IDS) == 2 * len(dfplan_envs.MAZE_NAMES) == 16  # 14 of D4RL, 2 of the changed maze
    assert {"maze2d-open-v0", "maze2d-eval-large-dense-v1", "maze2d-umaze-v1"} <= set(IDS)


@pytest.mark.parametrize("env_id", IDS)
def test_gymnasium_accepts_it(env_id):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*Box observation space")  # D4RL's bounds are infinite
        check_env(build(env_id, render_mode="rgb_array").unwrapped)


@pytest.mark.parametrize("goal", ["fixed", "random"])
def test_same_seed_same_episode(goal):
    first, second = build(goal=goal), build(goal=goal)
    assert_array = np.testing.assert_array_equal
    observation, info = first.reset(seed=3)
    other, other_info = second.reset(seed=3)
    assert_array(observation, other)
    assert_array(info["goal"], other_info["goal"])
    for action in np.random.default_rng(0).uniform(-1, 1, size=(50, 2)).astype(np.float32):
        assert_array(first.step(action)[0], second.step(action)[0])
    assert not np.array_equal(first.reset()[0], observation)


def test_time_limit_truncates_and_nothing_terminates():
    env = build("maze2d-umaze-v1")
    env.reset(seed=0, options={"start": (1, 1)})
    results = [env.step(np.zeros(2, np.float32)) for _ in range(300)]
    assert not any(terminated for _, _, terminated, _, _ in results)
    assert [truncated for *_, truncated, _ in results] == [False] * 299 + [True]


def test_starts_have_the_distribution_of_d4rl():
    env = build(goal="random")
    cells = env.unwrapped.maze.free_cells
    drawn = [env.reset(seed=0 if i == 0 else None) for i in range(2000)]
    states = np.array([observation for observation, _ in drawn])
    goals = np.array([info["goal"] for _, info in drawn])
    for points in (states[:, :2], goals):
        offset = points - np.rint(points)
        assert np.abs(offset).max() <= 0.1
        assert offset.std() == pytest.approx(0.2 / np.sqrt(12), rel=0.05)
        assert {tuple(cell) for cell in np.rint(points).astype(int)} == {tuple(cell) for cell in cells}
    assert states[:, 2:].std() == pytest.approx(0.1, rel=0.05)


def test_fixed_goal_is_the_integer_cell_without_noise():
    _, info = build().reset(seed=1)
    np.testing.assert_array_equal(info["goal"], [7, 9])


@pytest.mark.parametrize("offset", [0.0, 0.45, 0.55])
def test_rewards_are_paid_for_the_state_after_the_step(offset):
    sparse, dense = build("maze2d-open-v0"), build("maze2d-open-dense-v0")
    for env in (sparse, dense):
        env.reset(seed=0, options={"start": (2 + offset, 3)})
    observation, reward, _, _, info = sparse.step(np.array([1, 0], np.float32))
    distance = np.linalg.norm(observation[:2] - [2, 3])
    assert reward == float(distance <= 0.5) == float(info["success"]) == float(offset < 0.5)
    assert dense.step(np.array([1, 0], np.float32))[1] == pytest.approx(np.exp(-distance))


def test_start_and_goal_on_request():
    env = build(goal="random")
    observation, info = env.reset(seed=5, options={"start": (1.25, 1.0), "goal": (3.1, 2.9)})
    np.testing.assert_array_equal(observation[:2], [1.25, 1.0])
    np.testing.assert_array_equal(info["goal"], [3.1, 2.9])
    free, _ = env.reset(seed=5)
    np.testing.assert_array_equal(observation[2:], free[2:])
    observation, _ = env.reset(seed=5, options={"start": {"cell": (7, 9)}})
    assert np.abs(observation[:2] - [7, 9]).max() <= 0.1


def test_fixing_the_start_does_not_move_the_random_goal():
    env = build(goal="random")
    _, info = env.reset(seed=5)
    for start in ((1, 1), {"cell": (3, 3)}):
        np.testing.assert_array_equal(env.reset(seed=5, options={"start": start})[1]["goal"], info["goal"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"goal": (0, 0)}, r"goal \(0, 0\) is in a wall of maze large; the nearest free point is \(0\.40, 0\.40\)"),
        ({"start": (2, 2)}, r"start \(2, 2\) is in a wall of maze large; the nearest free point is"),
        ({"start": (0.34, 1.0)}, "in a wall"),
        ({"start": {"cell": (2, 2)}}, r"\(2, 2\) is not a free cell of maze large; the nearest is"),
        ({"start": {"cel": (1, 1)}}, "start must be"),
        ({"goal": (1, np.nan)}, "two finite numbers"),
        ({"goal": "here"}, "two finite numbers"),
        ({"start": (1, 2, 3)}, "two finite numbers"),
        ({"gaol": (1, 1)}, "unknown reset option 'gaol'; allowed are start, goal"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        build().reset(seed=0, options=options)


@pytest.mark.parametrize(("action", "message"), [([np.nan, 0], "finite"), ([0, 0, 0], r"shape \(2,\)")])
def test_bad_actions_are_refused(action, message):
    env = build().unwrapped
    env.reset(seed=0)
    with pytest.raises(ValueError, match=message):
        env.step(np.array(action, np.float32))


@pytest.mark.parametrize(
    ("arguments", "message"), [({"goal": "moving"}, "'fixed'.*'random'"), ({"render_mode": "human"}, "rgb_array")]
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        MazeEnv("umaze", **arguments)


def test_picture_shows_walls_goal_and_ball_where_they_are():
    env = build("maze2d-umaze-v1", render_mode="rgb_array")
    env.reset(seed=0, options={"start": (3, 1), "goal": (1, 3)})
    frame = env.render()
    assert frame.shape == (5 * 48, 5 * 48, 3)
    assert frame.dtype == np.uint8

    def pixel(x, y):
        return frame[int((x + 0.7) * 48), int((y + 0.7) * 48)].tolist()

    wall, floor, ball, goal = pixel(2, 2), pixel(3, 2), pixel(3, 1), pixel(1, 3)
    assert wall == [75, 85, 99]
    assert floor == [248, 250, 252]
    assert ball == [0, 114, 178]
    assert goal[1] > max(goal[0], goal[2])
    assert pixel(2.29, 2) == wall  # the wall ends at 0.3 past the integer
    assert pixel(2.31, 1.6) == floor
