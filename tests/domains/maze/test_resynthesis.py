"""Resynthesised trajectories: true to the measured dynamics, inside the data's positions, faster, held at the ends."""

import dataclasses

import numpy as np
import pytest

from dfplan.agent import ShootingTracker
from dfplan.data.d4rl_file import write_d4rl
from dfplan.domains.maze.dynamics import fit_dynamics
from dfplan.domains.maze.environment import load_maze
from dfplan.domains.maze.generate import generate_maze2d
from dfplan.domains.maze.recorded import read_recorded
from dfplan.domains.maze.resynthesis import _step, resynthesise
from dfplan.errors import UserError
from dfplan.scorers.support import measure_support, without_gaps
from dfplan.settings.resynthesis import ResynthesisSettings
from dfplan.types import DoubleIntegrator, Support

HOLD = (32, 48)


@pytest.fixture(scope="module")
def collected(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "umaze.hdf5"
    write_d4rl(path, generate_maze2d("maze2d-umaze-v1", num_steps=100_000, seed=3), metadata={})
    return read_recorded(path)


def driven(collected, *, support=None, seed=0, **changes):
    dynamics = fit_dynamics(collected)
    usual = {"num_steps": 6_000, "noise": 0.2, "return_share": 0.0}
    return resynthesise(
        collected,
        ShootingTracker(dynamics, goal_radius=0.5, support=support or measure_support(collected), tube=0.45),
        ResynthesisSettings(shortest_hold=HOLD[0], longest_hold=HOLD[1], **(usual | changes)),
        dynamics=dynamics,
        support=support or measure_support(collected),
        seed=seed,
        num_drivers=10,
    )


@pytest.fixture(scope="module")
def anew(collected):
    return driven(collected)


def inner_rows(trajectories):
    """Rows whose next row belongs to the same trajectory."""
    rows = np.ones(len(trajectories), dtype=bool)
    rows[trajectories.starts[1:] - 1] = False
    return np.flatnonzero(rows)


def test_every_step_is_what_the_point_mass_says(collected, anew):
    mass, rows = fit_dynamics(collected), inner_rows(anew)
    assert len(rows) > 0.5 * len(anew)
    velocity = np.clip(
        mass.decay * anew.observations[rows, 2:] + mass.gain * anew.actions[rows], -mass.max_speed, mass.max_speed
    )
    stopped = (anew.observations[rows + 1, 2:] == 0) & (velocity != 0)
    assert stopped.mean() < 0.01
    velocity = np.where(stopped, 0, velocity)
    np.testing.assert_allclose(anew.observations[rows + 1, 2:], velocity, atol=1e-5)
    moved = anew.observations[rows, :2] + mass.step * velocity
    np.testing.assert_allclose(anew.observations[rows + 1, :2], moved, atol=1e-5)
    assert np.abs(anew.actions).max() <= 1


def test_an_axis_stops_where_the_data_never_was_and_the_other_goes_on():
    mass = DoubleIntegrator(decay=1.0, gain=0.2, step=0.01, max_speed=5.0)
    support = Support(visited=np.ones((2, 2), dtype=bool), origin=np.zeros(2), cell=0.5)
    state = np.array([[0.98, 0.5, 3.0, 1.0], [0.5, 0.01, 0.0, -2.0], [0.5, 0.5, 3.0, 1.0]])
    found = _step(state, np.zeros((3, 2)), dynamics=mass, support=support)
    np.testing.assert_allclose(found, [[0.98, 0.51, 0, 1], [0.5, 0.01, 0, 0], [0.53, 0.51, 3, 1]])


def test_no_position_lies_where_the_data_never_was(collected, anew):
    rows = np.setdiff1d(np.arange(len(anew)), anew.starts[:-1])  # a driver may begin at a rare row of the data
    assert without_gaps(measure_support(collected)).contains(anew.observations[rows, :2]).all()
    assert not load_maze("maze2d-umaze-v1").contains_wall(anew.observations[:, :2]).any()


def test_every_way_ends_with_standing_at_its_goal(anew):
    for end in np.flatnonzero(anew.segment_ends):
        held = anew.observations[end - HOLD[0] + 1 : end + 1]
        assert np.linalg.norm(held[:, :2] - held[-1, :2], axis=1).max() <= 2 * 0.5
        assert np.linalg.norm(held[-1, 2:]) < 2.0
    speeds = np.linalg.norm(anew.observations[anew.segment_ends, 2:], axis=1)
    assert np.median(speeds) < 0.5


def test_ways_are_driven_faster_than_they_were_collected(collected, anew):
    def speeds(trajectories):
        """Units per second up to arrival, of every way that is longer than two units."""
        ends = np.flatnonzero(trajectories.segment_ends)
        for first, last in zip(np.append(0, ends[:-1] + 1), ends, strict=True):
            way = trajectories.observations[first : last + 1, :2]
            steps = np.argmax(np.linalg.norm(way - way[-1], axis=1) <= 0.5)
            length = np.linalg.norm(np.diff(way[: steps + 1], axis=0), axis=1).sum()
            if length > 2:
                yield length / (0.01 * steps)

    assert np.mean(list(speeds(anew))) > 1.1 * np.mean(list(speeds(collected)))


def test_a_trajectory_ends_with_a_finished_way_and_is_laid_out_whole(anew):
    assert anew.starts[0] == 0
    assert anew.starts[-1] == len(anew) == len(anew.actions) == len(anew.segment_ends)
    assert (np.diff(anew.starts) > 0).all()
    assert anew.segment_ends[anew.starts[1:] - 1].all()
    assert anew.source.endswith("resynthesised")


def test_drivers_are_sent_back_to_their_goal_from_beside_it(collected):
    found = driven(collected, return_share=0.5)
    ends = np.flatnonzero(found.segment_ends)
    begins = np.append(0, ends[:-1] + 1)
    goals, starts = found.observations[ends, :2], found.observations[begins, :2]
    again = np.append(False, np.linalg.norm(np.diff(goals, axis=0), axis=1) < 0.2)
    assert again.mean() == pytest.approx(0.5, abs=0.15)
    apart = np.linalg.norm(starts - goals, axis=1)[again]
    reach = 1.5 * 0.5  # goal radii, by axis
    assert apart.max() <= np.sqrt(2) * reach + 0.2
    assert apart.mean() > 0.4 * reach
    jumped = np.append(False, np.linalg.norm(found.observations[begins[1:], :2] - goals[:-1], axis=1) > 0.1)
    assert np.isin(begins[jumped], found.starts).all()  # where it was put there, no trajectory goes on
    assert measure_support(collected).contains(starts[again]).mean() > 0.95


def test_the_seed_decides(collected, anew):
    same, other = driven(collected), driven(collected, seed=1)
    np.testing.assert_array_equal(same.observations, anew.observations)
    assert other.observations.shape != anew.observations.shape or (other.observations != anew.observations).any()


def test_ways_that_leave_the_visited_positions_are_thrown_away(collected, anew):
    support = measure_support(collected)
    left = support.visited.copy()
    left[left.shape[0] // 2 :] = False  # half of the maze was never visited
    rows = driven(collected, support=dataclasses.replace(support, visited=left)).observations
    assert rows[:, 0].max() < support.origin[0] + support.cell * (left.shape[0] // 2) + 0.1
    with pytest.raises(UserError, match="no leg reached its goal"):
        driven(collected, support=dataclasses.replace(support, visited=np.zeros_like(left)), num_steps=100)


def test_data_without_a_way_is_refused(collected):
    every_row = dataclasses.replace(collected, segment_ends=np.ones_like(collected.segment_ends))
    with pytest.raises(UserError, match="none can be resynthesised"):
        driven(every_row)
