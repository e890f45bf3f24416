"""The point mass that made the motion is found again, also where walls interfere."""

import dataclasses

import numpy as np
import pytest
from tiny_model import POINT_MASS, tiny_trajectories

from dfplan.data.d4rl_file import write_d4rl
from dfplan.domains.maze.dynamics import fit_dynamics
from dfplan.domains.maze.generate import generate_maze2d
from dfplan.domains.maze.recorded import read_recorded
from dfplan.errors import UserError


def _assert_is_maze2d(found, *, relative):
    assert found.gain == pytest.approx(0.238164, rel=relative)
    assert found.step == pytest.approx(0.01, rel=relative)
    assert found.decay == pytest.approx(POINT_MASS.decay, rel=relative)


def test_free_motion_is_fitted_exactly():
    _assert_is_maze2d(fit_dynamics(tiny_trajectories(num=40, num_steps=50)), relative=1e-4)


def test_trajectories_are_not_joined():
    # Between two trajectories the agent jumps; one row of each trajectory would spoil short ones.
    _assert_is_maze2d(fit_dynamics(tiny_trajectories(num=300, num_steps=4)), relative=1e-4)


@pytest.mark.parametrize("num_steps", [1, 2])
def test_a_few_steps_are_too_few(num_steps):
    with pytest.raises(UserError, match=f"has {num_steps} steps, too few to measure how actions move the agent"):
        fit_dynamics(tiny_trajectories(num=1, num_steps=num_steps))


def test_rows_that_hit_something_are_left_out():
    free = tiny_trajectories(num=40, num_steps=50)
    observations = free.observations.copy()
    stopped = np.random.default_rng(0).random(len(free)) < 0.05
    observations[stopped, 2:] = 0.0
    _assert_is_maze2d(fit_dynamics(dataclasses.replace(free, observations=observations)), relative=0.01)


def test_max_rows_are_enough():
    data = tiny_trajectories(num=40, num_steps=50)
    _assert_is_maze2d(fit_dynamics(data, max_rows=500), relative=1e-4)


def test_fitted_on_data_of_a_maze(tmp_path):
    arrays = generate_maze2d("maze2d-umaze-v1", num_steps=4000, seed=0)
    write_d4rl(tmp_path / "data.hdf5", arrays, metadata={})
    found = fit_dynamics(read_recorded(tmp_path / "data.hdf5"))
    _assert_is_maze2d(found, relative=0.01)
    assert 3 < found.max_speed <= 6


def test_data_that_is_no_point_mass_is_refused():
    data = tiny_trajectories()
    with pytest.raises(UserError, match="observations of 3 and actions of 2 numbers"):
        fit_dynamics(dataclasses.replace(data, observations=data.observations[:, :3]))
    backwards = dataclasses.replace(data, actions=-data.actions)
    with pytest.raises(UserError, match=r"actions of a free point mass do not push the agent \(gain -0.238"):
        fit_dynamics(backwards)
