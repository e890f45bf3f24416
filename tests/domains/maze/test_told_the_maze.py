"""The drivers that know the maze, in the real environments."""

import numpy as np
import pytest

from dfplan.domains.maze.environment import load_maze
from dfplan.domains.maze.oracle import DECAY, GAIN, SECONDS, SPEED_LIMIT, DistanceMap, OracleAgent
from dfplan.domains.maze.protocol import MazeProtocol
from dfplan.domains.maze.waypoints import WaypointAgent
from dfplan.errors import UserError
from dfplan.evaluation.rollout import evaluate_agent
from dfplan_envs.mazes import build_maze
from dfplan_envs.physics import Ball, build_model

UMAZE = "maze2d-umaze-v1"


def oracle(env_id: str) -> OracleAgent:
    maze = load_maze(env_id)
    return OracleAgent(maze.walls, goal_radius=maze.goal_radius)


def waypoints(env_id: str) -> WaypointAgent:
    return WaypointAgent(load_maze(env_id).walls)


def score(agent, env_id, *, episodes, goal="fixed", num_envs=None):
    protocol = MazeProtocol(env_id, goal=goal)
    return protocol.scores(
        evaluate_agent(agent, protocol, num_episodes=episodes, num_envs=num_envs or episodes, seed=0)
    )


def test_the_oracle_knows_the_balls_motion_in_free_space():
    ball = Ball(build_model(build_maze("open")))
    ball.set_state(2.3, 2.8, 0.5, -4.9)
    position, velocity = np.array([2.3, 2.8]), np.array([0.5, -4.9])
    for push in ((1.0, -1.0), (1.0, -1.0), (-0.3, 0.2), (0.0, 1.0)):
        velocity = DECAY * velocity.clip(-SPEED_LIMIT, SPEED_LIMIT) + GAIN * np.array(push)
        position = position + SECONDS * velocity
        np.testing.assert_allclose(ball.step(*push), [*position, *velocity], rtol=1e-9)


def test_distances_go_around_walls_and_the_larger_axis_counts():
    walls = np.array([list(row) for row in ("#####", "#   #", "### #", "#   #", "#####")]) == "#"
    distances = DistanceMap(walls).distances(np.array([1.0, 1.0]), radius=0.5)

    def at(x, y):
        return float(distances[DistanceMap(walls).index(np.array([x, y]))])

    # The wall keeps the ball's centre out of x from 1.2 to 2.4 where y is below 2.4; the disc ends at y = 1.5.
    assert at(1.0, 1.2) == 0
    assert at(1.1, 2.9) == pytest.approx(1.4, abs=0.1)  # straight along the corridor
    assert at(2.0, 3.1) == pytest.approx(0.8 + 0.9, abs=0.1)  # to the corner, where x counts, and down
    assert at(3.0, 1.0) == pytest.approx(1.4 + 1.2 + 0.9, abs=0.1)  # around both corners, not 1.5 through the wall
    assert at(2.0, 1.0) == np.inf


@pytest.mark.parametrize(("build", "floor"), [(oracle, 155), (waypoints, 130)])
def test_they_reach_and_hold_the_goal_of_the_u_maze(build, floor):
    found = score(build(UMAZE), UMAZE, episodes=7)  # once from every cell
    assert found.success.all()
    assert found.normalized_return.mean() > floor
    np.testing.assert_allclose(found.normalized_return, found.latched_normalized_return)  # never left again


@pytest.mark.slow
@pytest.mark.parametrize(("env_id", "floor"), [("maze2d-medium-v1", 180), ("maze2d-large-v1", 235)])
def test_the_oracle_is_strong_where_ways_are_long(env_id, floor):
    strong = score(oracle(env_id), env_id, episodes=26, goal="random")
    driver = score(waypoints(env_id), env_id, episodes=26, goal="random")
    assert strong.success.all()
    assert strong.normalized_return.mean() > max(floor, driver.normalized_return.mean() + 10)


@pytest.mark.parametrize("build", [oracle, waypoints])
def test_how_many_run_side_by_side_changes_nothing(build):
    alone = score(build(UMAZE), UMAZE, episodes=3, num_envs=1, goal="random")
    together = score(build(UMAZE), UMAZE, episodes=3, goal="random")
    assert (alone.normalized_return == together.normalized_return).all()


@pytest.mark.parametrize("build", [oracle, waypoints])
def test_an_episode_that_did_not_begin_is_refused(build):
    with pytest.raises(UserError, match=r"reset\(\) began 0 episodes"):
        build(UMAZE).act(np.zeros((1, 4)))
