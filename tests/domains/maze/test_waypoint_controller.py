"""The scripted driver finds shortest ways, steers by its PD law, and arrives."""

import gymnasium
import numpy as np
import pytest

from dfplan.domains.maze.waypoint_controller import GridPlanner, WaypointController

MAZES = ["umaze-v1", "medium-v1", "large-v1", "eval-umaze-v1", "eval-medium-v1", "eval-large-v1", "open-v0"]


def build_env(name="large-v1"):
    return gymnasium.make(f"dfplan_envs:maze2d-{name}").unwrapped


def q_iteration_path(walls, start, goal):
    """D4RL's own planning, straight from its definition: 50 sweeps at discount 0.99, then the greedy way."""
    moves = [(0, 0), (0, -1), (0, 1), (-1, 0), (1, 0)]
    cells = [tuple(cell) for cell in np.argwhere(np.ones_like(walls)).tolist()]

    def after(cell, move):
        near = (cell[0] + move[0], cell[1] + move[1])
        inside = 0 <= near[0] < walls.shape[0] and 0 <= near[1] < walls.shape[1]
        return near if inside and not walls[near] else cell

    values = dict.fromkeys(cells, 0.0)
    for _ in range(50):
        q = {cell: [float(cell == goal) + 0.99 * values[after(cell, move)] for move in moves] for cell in cells}
        values = {cell: max(each) for cell, each in q.items()}
    path, cell = [], start
    while not path or cell != goal:
        cell = after(cell, moves[int(np.argmax(q[cell]))])
        path.append(cell)
    return path


@pytest.mark.parametrize("name", MAZES)
def test_ways_equal_those_of_q_iteration(name):
    maze = build_env(name).maze
    planner = GridPlanner(maze.walls)
    generator = np.random.default_rng(0)
    cells = [tuple(cell) for cell in maze.free_cells.tolist()]
    for goal in [cells[k] for k in generator.permutation(len(cells))[:2]]:
        for start in cells[::3]:
            assert planner.path(start, goal) == q_iteration_path(maze.walls, start, goal)


def test_a_way_may_start_in_a_wall_but_never_enters_one():
    planner = GridPlanner(build_env("umaze-v1").maze.walls)
    assert planner.path((0, 1), (1, 3)) == [(1, 1), (1, 2), (1, 3)]


def test_an_unreachable_goal_is_named():
    walls = np.array([[True, False, True, False, True]])
    with pytest.raises(ValueError, match=r"no way from cell \(0, 1\) to cell \(0, 3\)"):
        GridPlanner(walls).path((0, 1), (0, 3))


def test_force_is_the_pd_law_towards_the_first_waypoint():
    """umaze, one cell to the right, no jitter: from (1, 1) at (0.3, -0.2) to (1, 2)."""
    controller = WaypointController(build_env("umaze-v1").maze.walls, draw_uniform=lambda: 0.0)
    force_x, force_y, solved = controller.act(1.04, 1.97, 0.3, -0.2, 1.0, 2.0)
    assert (force_x, force_y) == pytest.approx((10 * -0.04 - 0.3, 10 * 0.03 + 0.2))
    assert solved
    assert controller.act(1.0, 1.0, 0.0, 0.0, 1.0, 2.0) == (0.0, 1.0, False)


def test_the_noise_of_a_goal_within_its_cell_is_ignored():
    controller = WaypointController(build_env("umaze-v1").maze.walls, draw_uniform=lambda: 0.0)
    exact = controller.act(1.0, 1.5, 0.0, 0.0, 1.0, 2.0)
    assert controller.act(1.0, 1.5, 0.0, 0.0, 1.1, 1.9) == exact


@pytest.mark.parametrize("name", MAZES)
def test_it_arrives_from_everywhere(name):
    env = build_env(name)
    for start in env.maze.free_cells.tolist():
        controller = WaypointController(env.maze.walls, draw_uniform=np.random.default_rng(0).random)
        env.ball.set_state(*map(float, start), 0.0, 0.0)
        state, steps, solved = env.ball.state(), 0, False
        while not solved:
            *force, solved = controller.act(*state, *env.maze.goal_cell)
            state = env.ball.step(*force)
            steps += 1
            assert steps < 800, f"did not arrive from {start}"
