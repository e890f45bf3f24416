"""The grid of visited positions holds what was visited, and no wall."""

import dataclasses

import gymnasium
import numpy as np
from tiny_model import tiny_trajectories

from dfplan.data.d4rl_file import write_d4rl
from dfplan.domains.maze.generate import generate_maze2d
from dfplan.domains.maze.recorded import read_recorded
from dfplan.scorers.support import measure_support, without_gaps
from dfplan.types import Support


def _at(positions):
    """Trajectories whose rows are at the given positions."""
    observations = np.zeros((len(positions), 4), dtype=np.float32)
    observations[:, :2] = positions
    return dataclasses.replace(
        tiny_trajectories(num=1, num_steps=1),
        observations=observations,
        actions=np.zeros((len(positions), 2), dtype=np.float32),
        starts=np.array([0, len(positions)]),
        segment_ends=np.zeros(len(positions), dtype=bool),
    )


def test_a_gap_is_filled_and_an_edge_is_kept():
    visited = np.ones((5, 5), dtype=bool)
    visited[2, 2] = visited[4, 2] = False  # a hole; a notch in the edge
    visited[:, 4] = False
    filled = without_gaps(Support(visited=visited, origin=np.zeros(2), cell=0.1)).visited
    assert filled[2, 2]
    assert filled[4, 2]
    assert not filled[:, 4].any()
    assert filled[:4, :4].all()


def test_cells_count_from_least_visits_on():
    data = _at(3 * [(0.05, 0.05)] + 2 * [(0.15, 0.05)] + 4 * [(0.25, 0.35)])
    support = measure_support(data, cell=0.1, least_visits=3)
    assert np.argwhere(support.visited).tolist() == [[0, 0], [2, 3]]
    assert support.visited.shape == (3, 4)
    assert measure_support(data, cell=0.1, least_visits=2).visited.sum() == 3


def test_contains_looks_positions_up_in_any_shape():
    support = measure_support(_at(3 * [(0.05, 0.05)] + 3 * [(0.25, 0.35)]), cell=0.1)
    inside = np.array([[[0.01, 0.09], [0.25, 0.31]], [[0.15, 0.05], [0.25, 0.45]]])
    assert support.contains(inside).tolist() == [[True, True], [False, False]]


def test_beyond_the_grid_nothing_was_visited():
    support = measure_support(_at(3 * [(0.05, 0.05)]), cell=0.1)
    assert support.visited.tolist() == [[True]]
    for outside in ((-0.05, 0.05), (0.05, -0.05), (0.15, 0.05), (0.05, 1e6)):
        assert not support.contains(np.array(outside))


def test_negative_positions_have_cells_of_their_own():
    support = measure_support(_at(3 * [(-1.05, -0.05)] + 3 * [(0.05, 0.05)]), cell=0.1)
    assert support.contains(np.array([[-1.05, -0.05], [0.05, 0.05], [-0.05, 0.05]])).tolist() == [True, True, False]


def test_positions_on_the_edge_of_a_cell_are_counted():
    edges = np.repeat(np.arange(-50, 50) / 10, 3)
    for cell in (0.1, 0.3, 0.7):
        support = measure_support(_at(np.stack([edges, edges], axis=1)), cell=cell)
        assert support.contains(np.float32(np.stack([edges, edges], axis=1)).astype(np.float64)).all()


def test_data_of_a_maze_visits_free_space_alone(tmp_path):
    arrays = generate_maze2d("maze2d-umaze-v1", num_steps=20_000, seed=0)
    write_d4rl(tmp_path / "data.hdf5", arrays, metadata={})
    data = read_recorded(tmp_path / "data.hdf5")
    support = measure_support(data)
    maze = gymnasium.make("dfplan_envs:maze2d-umaze-v1").get_wrapper_attr("maze")
    centres = support.origin + (np.argwhere(support.visited) + 0.5) * support.cell
    assert maze.contains_wall(centres).mean() < 0.05  # cells of 0.1 that the edge of a wall cuts
    assert support.contains(data.observations[:, :2].astype(np.float64)).mean() > 0.98
    assert support.contains(maze.free_cells.astype(np.float64)).all()
