"""The shortest path on visited cells: it is shortest, keeps to the cells, and drives as well as its map allows."""

import itertools

import numpy as np
import pytest
import torch

from dfplan.agent import MPCAgent, ShootingTracker
from dfplan.cli.folders import bundled_weights
from dfplan.domains.maze.grid import GridPlanner, VisitedGrid
from dfplan.domains.maze.protocol import MazeProtocol
from dfplan.errors import UserError
from dfplan.evaluation.rollout import evaluate_agent
from dfplan.models import load_forcing_model
from dfplan.types import DoubleIntegrator, Support

POINT_MASS = DoubleIntegrator(decay=0.9976, gain=0.238, step=0.01, max_speed=5.2)


def support_of(*rows: str, cell: float = 0.1) -> Support:
    """Visited where a character is not ``#``; x goes down the rows."""
    return Support(np.array([list(row) for row in rows]) != "#", origin=np.zeros(2), cell=cell)


def planner_of(*rows: str, margin: float = 0.0) -> GridPlanner:
    return GridPlanner(support_of(*rows), dynamics=POINT_MASS, goal_radius=0.05, margin=margin)


def plan(planner, start, goal, *, horizon=1000):
    observations = np.array([[*start, 0.0, 0.0]])
    return planner.plan(observations, np.array([goal]), horizon=horizon, generators=[torch.Generator()])


def all_pairs(grid: VisitedGrid) -> np.ndarray:
    """Distances by Floyd and Warshall, another algorithm than the one under test."""
    count = len(grid.centers)
    found = np.full((count, count), np.inf)
    np.fill_diagonal(found, 0)
    for cell, way in itertools.product(range(count), range(8)):
        if np.isfinite(grid.lengths[cell, way]):
            found[cell, grid.neighbors[cell, way]] = grid.lengths[cell, way]
    for between in range(count):
        found = np.minimum(found, found[:, between, None] + found[None, between])
    return found


@pytest.mark.parametrize("margin", [0.0, 0.1])
@pytest.mark.parametrize("seed", range(3))
def test_distances_and_paths_are_those_of_another_algorithm(seed, margin):
    visited = np.random.default_rng(seed).random((9, 11)) > 0.3
    grid = VisitedGrid(Support(visited, origin=np.zeros(2), cell=0.1), margin=margin)
    truth = all_pairs(grid)
    goals = np.arange(0, len(grid.centers), 7)
    np.testing.assert_allclose(grid.distances(goals), truth[goals])
    starts = np.random.default_rng(seed).integers(len(grid.centers), size=len(goals))
    cells, moves = grid.paths(starts, goals)
    for row, (start, goal) in enumerate(zip(starts, goals, strict=True)):
        if np.isinf(truth[start, goal]):
            assert set(cells[row]) == {start}
            continue
        way = [start, *cells[row, : moves[row]]]
        length = sum(truth[first, second] for first, second in itertools.pairwise(way))
        assert way[-1] == goal
        assert length == pytest.approx(truth[start, goal])
        steps = np.abs(np.diff(grid.centers[way], axis=0))
        assert steps.max(initial=0) <= 0.1 + 1e-9  # one cell at a time


def test_no_move_cuts_the_corner_of_a_cell_that_was_not_visited():
    found = plan(planner_of("..#", "..#", "..."), (0.05, 0.15), (0.25, 0.25)).observations[0, :, :2]
    np.testing.assert_allclose(found, [[0.15, 0.15], [0.25, 0.15], [0.25, 0.25]])


def test_a_margin_leads_through_the_middle_and_still_through_what_is_narrow():
    wide = ("#########", ".........", ".........", ".........", ".........", ".........", "#########")
    along_the_edge = plan(planner_of(*wide), (0.15, 0.05), (0.15, 0.85)).observations[0, :, 0]
    np.testing.assert_allclose(along_the_edge, 0.15)
    in_the_middle = plan(planner_of(*wide, margin=0.2), (0.15, 0.05), (0.15, 0.85)).observations[0, :, 0]
    assert 0.3 < in_the_middle.max() < 0.4
    narrow = plan(planner_of("...#...", "...#...", ".......", margin=0.3), (0.05, 0.05), (0.05, 0.65))
    assert narrow.arrival[0] <= narrow.num_steps[0]


def test_a_plan_says_when_it_arrives_and_ends_with_its_path_or_its_horizon():
    planner = planner_of("." * 21)
    assert planner.steps_per_point == 2  # 0.1 at 5.2 units/s: 1.92 steps
    found = plan(planner, (0.05, 0.05), (0.05, 2.05))
    assert (found.num_steps[0], found.arrival[0]) == (40, 39)  # within 0.05 half a cell before the end
    np.testing.assert_allclose(found.observations[0, :, 3], 5.0)
    short = plan(planner, (0.05, 0.05), (0.05, 2.05), horizon=9)
    assert (short.num_steps[0], short.arrival[0], short.observations.shape[1]) == (9, 10, 5)
    stuck = plan(planner_of("..#.."), (0.05, 0.05), (0.05, 0.45))
    assert stuck.arrival[0] > stuck.num_steps[0]
    assert (stuck.observations[0, :, :2] == [0.05, 0.05]).all()


def test_rows_of_a_batch_do_not_depend_on_each_other():
    planner, generator = planner_of("....", ".##.", "....", margin=0.1), np.random.default_rng(0)
    observations, goals = generator.uniform(0, 0.4, (6, 4)), generator.uniform(0, 0.4, (6, 2))
    together = planner.plan(observations, goals, horizon=50, generators=[torch.Generator()] * 6)
    for row in range(6):
        alone = plan(planner, observations[row, :2], goals[row], horizon=50)
        assert (alone.num_steps[0], alone.arrival[0]) == (together.num_steps[row], together.arrival[row])
        length = alone.observations.shape[1]
        np.testing.assert_array_equal(alone.observations[0, :, :2], together.observations[row, :length, :2])


def test_what_cannot_be_planned_is_refused():
    with pytest.raises(UserError, match="needs visited cells in a plane"):
        planner_of("##", "##")
    with pytest.raises(UserError, match="goals must be finite"):
        plan(planner_of(".."), (0.05, 0.05), (np.nan, 0.05))


@pytest.mark.parametrize(("goal", "least"), [("fixed", 160), ("random", 165)])
def test_it_drives_as_well_as_the_trained_planner_knowing_no_more(goal, least):
    """The trained planner scores 164 and 173 there: with this controller the map of visited cells is all it takes."""
    model = load_forcing_model(bundled_weights() / "maze2d-umaze")
    planner = GridPlanner(model.support, dynamics=model.dynamics, goal_radius=model.goal_radius)
    agent = MPCAgent(
        planner, controller=ShootingTracker(model.dynamics, goal_radius=model.goal_radius), replan_every=32, horizon=300
    )
    protocol = MazeProtocol("maze2d-umaze-v1", goal=goal)
    found = evaluate_agent(agent, protocol, num_episodes=14, num_envs=14, seed=0)
    assert protocol.scores(found).success.all()
    assert protocol.scores(found).normalized_return.mean() > least
    assert found.plans.misplaced_points.sum() == 0
