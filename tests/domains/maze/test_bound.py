"""No driver beats the bound: not in free space, not in a corridor, and in no episode of any committed result file."""

import json
from pathlib import Path

import from_benchmarks
import numpy as np
import pytest

from dfplan.domains.maze.environment import load_maze
from dfplan.domains.maze.oracle import OracleAgent
from dfplan.domains.maze.protocol import MazeProtocol
from dfplan.evaluation.rollout import evaluate_agent
from dfplan_envs.mazes import build_maze
from dfplan_envs.physics import Ball, build_model

bound = from_benchmarks.module("bound")

RESULTS = Path(__file__).parents[3] / "benchmarks" / "maze_scores" / "results"
CORRIDOR = np.array([list(row) for row in ("#####", "#   #", "### #", "#   #", "#####")]) == "#"


@pytest.mark.parametrize("speed", [0.0, 2.0])
def test_a_ball_at_full_push_in_free_space_is_exactly_as_quick_as_the_bound(speed):
    ball = Ball(build_model(build_maze("open")))
    ball.set_state(1.0, 2.0, speed, 0.0)
    way = np.array([ball.step(1.0, 0.0)[0] - 1.0 for _ in range(40)])
    for short, late in ((1 - 1e-9, 0), (1 + 1e-6, 1)):
        found = bound.least_steps(way * short, np.full(40, speed), num_steps=100)
        np.testing.assert_array_equal(found, np.arange(1, 41) + late)


def test_the_way_is_that_of_the_longer_axis_around_corners_no_nearer_to_walls_than_the_ball_can_be_pressed():
    starts = np.array([[1.0, 1.2], [1.0, 2.9], [3.0, 1.0], [2.0, 1.0]])
    inside, straight, around, walled = bound.Room(CORRIDOR).least_distances(starts, np.array([1.0, 1.0]), radius=0.5)
    assert inside == 0
    assert straight == pytest.approx(2.9 - 1.5, abs=2 * bound.CELL)
    assert straight <= 2.9 - 1.5
    # Corners of the wall between are at (2.3, 2.3) and (1.3, 2.3), and 0.05 (pressed) is left around them, rounded.
    exact = (2.35 - 1.0) + (2.35 - 1.25) + (2.35 - 1.5)
    assert exact - 0.15 <= around <= exact
    assert np.isinf(walled)


@pytest.mark.parametrize("goal", ["fixed", "random"])
def test_the_strong_heuristic_stays_below_and_close(goal):
    maze = load_maze("maze2d-umaze-v1")
    agent = OracleAgent(maze.walls, goal_radius=maze.goal_radius)
    found = evaluate_agent(agent, MazeProtocol("maze2d-umaze-v1", goal=goal), num_episodes=7, num_envs=7, seed=3)
    left = bounds("maze2d-umaze", goal=goal, seed=3, count=7) - found.returns
    assert left.min() >= 0
    assert left.mean() < 15


def bounds(env: str, *, goal: str, seed: int, count: int) -> np.ndarray:
    maze = load_maze(f"{env}-v1")
    with MazeProtocol(f"{env}-v1", goal=goal).begin(range(count), seed=seed) as running:
        return bound.bound_returns(
            running.begun.observations,
            running.begun.goals,
            walls=maze.walls,
            goal_radius=maze.goal_radius,
            num_steps=maze.max_episode_steps,
        )


RECORDS = [json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))]
BOUNDS = {(each["env"], each["goal"], each["seed"]): each for each in RECORDS if each["planner"] == "bound"}


def returns_of(record: dict) -> np.ndarray:
    return np.array([each["raw_return"] for each in record["episodes"]])


def test_no_episode_of_any_result_file_returned_more():
    compared = [each for each in RECORDS if (each["env"], each["goal"], each["seed"]) in BOUNDS]
    assert len(compared) > 50
    for record in compared:
        bound = BOUNDS[record["env"], record["goal"], record["seed"]]
        count = record["n_episodes"]
        for name in ("start", "goal"):
            ours, theirs = ([each[name] for each in found["episodes"][:count]] for found in (record, bound))
            np.testing.assert_allclose(ours, theirs, atol=1e-5)
        assert (returns_of(record) <= returns_of(bound)[:count]).all(), (record["date"], record["env"])


@pytest.mark.slow
@pytest.mark.parametrize(("env", "goal", "seed"), BOUNDS)
def test_the_bounds_of_the_result_files_are_those_of_the_function(env, goal, seed):
    expected = returns_of(BOUNDS[env, goal, seed])
    np.testing.assert_array_equal(bounds(env, goal=goal, seed=seed, count=len(expected)), expected)
