"""Our ball, rewards and controller are those of the original d4rl package, bit for bit on the same MuJoCo."""

import importlib.util
import os
import sys
import warnings

import gymnasium
import numpy as np
import pytest

from dfplan.domains.maze.waypoint_controller import WaypointController
from dfplan_envs import build_maze
from dfplan_envs.physics import Ball, build_model

if importlib.util.find_spec("d4rl") is None:
    pytest.skip("the original package is not in this environment: make test-d4rl", allow_module_level=True)

# d4rl's import dies on mujoco_py's search for MuJoCo 2.1 binaries, but goes on if the module is absent. Its simulator
# base class in gym then runs on today's mujoco.
sys.modules["mujoco_py"] = None  # type: ignore[assignment]
os.environ["D4RL_SUPPRESS_IMPORT_ERROR"] = "1"
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from d4rl.pointmaze import maze_model, waypoint_controller

SPECIFICATIONS = {
    "umaze": maze_model.U_MAZE,
    "medium": maze_model.MEDIUM_MAZE,
    "large": maze_model.LARGE_MAZE,
    "eval-umaze": maze_model.U_MAZE_EVAL,
    "eval-medium": maze_model.MEDIUM_MAZE_EVAL,
    "eval-large": maze_model.LARGE_MAZE_EVAL,
    "open": maze_model.OPEN,
}


class OriginalEnv(maze_model.MazeEnv):
    """D4RL's class; it asks for mujoco_py's ``sim.data``, which today is the environment's own ``data``."""

    @property
    def sim(self):
        return self

    def set_marker(self):
        """Move a painted site, by a method that only mujoco_py's model has; no part in the physics."""


def build_original(name, reward_type="sparse"):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return OriginalEnv(maze_spec=SPECIFICATIONS[name], reward_type=reward_type)


def place_equally(original, ours, state):
    """Put both balls into a state, both with a fresh simulator."""
    original._mujoco_bindings.mj_resetData(original.model, original.data)
    original.set_state(np.array(state[:2]), np.array(state[2:]))
    ours.set_state(*state)


@pytest.mark.parametrize("name", SPECIFICATIONS)
def test_layout_goal_and_start_cells_are_the_originals(name):
    original, maze = build_original(name), build_maze(name)
    assert "\\".join(maze.layout) == original.str_maze_spec
    assert maze.goal_cell == tuple(original.get_target())
    assert [tuple(cell) for cell in maze.free_cells] == [tuple(cell) for cell in original.empty_and_goal_locations]


@pytest.mark.parametrize("name", ["umaze", "medium", "large"])
@pytest.mark.parametrize("reward_type", ["sparse", "dense"])
def test_steps_are_bit_identical(name, reward_type):
    """Actions held for a while drive the ball hard into walls and to the velocity limit."""
    original = build_original(name, reward_type)
    env = gymnasium.make(f"dfplan_envs:maze2d-{name}{'-dense' if reward_type == 'dense' else ''}-v1").unwrapped
    env.reset(seed=0)
    generator = np.random.default_rng(7)
    contacts = limited = 0
    for _ in range(8):
        i, j = env.maze.free_cells[generator.integers(len(env.maze.free_cells))]
        place_equally(original, env.ball, (float(i), float(j), *generator.normal(size=2)))
        for step in range(400):
            if step % 25 == 0:
                held = generator.uniform(-1.5, 1.5, size=2)
            action = (held + 0.3 * generator.normal(size=2)).astype(np.float32)
            expected, expected_reward, _, _ = original.step(action)
            observation, reward, *_ = env.step(action)
            np.testing.assert_array_equal(observation, expected)
            # The exponential of Python's math and of NumPy may differ in the last bit.
            assert reward == (pytest.approx(expected_reward, rel=1e-14) if reward_type == "dense" else expected_reward)
            contacts += original.data.ncon > 0
            limited += np.abs(observation[2:]).max() > 5
    assert contacts > 100
    assert limited > 100


@pytest.mark.parametrize("name", ["umaze", "medium", "large"])
def test_controller_drives_as_the_original(name, monkeypatch):
    """Along one noisy drive with the stale observation of D4RL's script, every action and every arrival agrees."""
    maze = build_maze(name)
    original = waypoint_controller.WaypointController(SPECIFICATIONS[name])
    original_jitter, our_jitter = np.random.default_rng(3), np.random.default_rng(3)
    monkeypatch.setattr(np.random, "uniform", lambda size: original_jitter.random(size))
    ours = WaypointController(maze.walls, draw_uniform=our_jitter.random)
    generator = np.random.default_rng(5)

    def draw_goal():
        return maze.free_cells[generator.integers(len(maze.free_cells))] + generator.uniform(-0.1, 0.1, size=2)

    ball, goal, arrivals = Ball(build_model(maze)), draw_goal(), 0
    ball.set_state(*draw_goal(), 0.0, 0.0)
    observed = ball.state()
    for _ in range(4000):
        expected, expected_solved = original.get_action(np.array(observed[:2]), np.array(observed[2:]), goal)
        *force, solved = ours.act(*observed, *goal)
        assert force == expected.tolist()
        assert solved == expected_solved
        state = ball.step(*(np.clip(expected + 0.5 * generator.normal(size=2), -1, 1).tolist()))
        if solved:
            goal = draw_goal()
            arrivals += 1
        else:
            observed = state
    assert arrivals > 8
