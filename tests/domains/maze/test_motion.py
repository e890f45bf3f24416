"""The filter that says how fast a thing moves: exact where nothing is unknown, better than frames where they err."""

from dataclasses import asdict, replace

import numpy as np
import pytest

from dfplan.domains.maze.motion import PIECE, MotionFilter, follow_trajectories, read_motion
from dfplan.types import DoubleIntegrator, Trajectories

MASS = DoubleIntegrator(decay=0.99, gain=0.25, step=0.01, max_speed=5.0)
MOTION = MotionFilter(MASS, position_gain=0.5, speed_gain=0.1)
ROWS = 2 * PIECE + 300


def drive(rows=ROWS, *, batch=1, seed=0):
    """States ``(batch, rows, 4)`` of a point mass that begins at rest, and the actions that moved it."""
    generator = np.random.default_rng(seed)
    actions = np.repeat(generator.uniform(-1, 1, (batch, -(-rows // 20), 2)), 20, axis=1)[:, :rows].astype(np.float32)
    states = np.zeros((batch, rows, 4))
    for row in range(1, rows):
        speed = np.clip(MASS.decay * states[:, row - 1, 2:] + MASS.gain * actions[:, row - 1], -5, 5)
        states[:, row] = np.concatenate([states[:, row - 1, :2] + MASS.step * speed, speed], axis=1)
    return states, actions


def trajectories(states, actions):
    batch, rows = states.shape[:2]
    return Trajectories(
        observations=states.reshape(-1, 4).astype(np.float32),
        actions=actions.reshape(-1, 2),
        starts=np.arange(batch + 1) * rows,
        segment_ends=np.zeros(batch * rows, bool),
        source="a drive",
    )


def follow(positions, actions, *, motion):
    """Step by step, as an agent does: ``(batch, rows, 4)``."""
    told = [motion.begin(positions[:, 0])]
    for row in range(1, positions.shape[1]):
        told.append(motion.follow(told[-1], actions=actions[:, row - 1], positions=positions[:, row]))
    return np.stack(told, axis=1)


def test_what_moves_as_the_point_mass_says_is_followed_exactly():
    states, actions = drive(300, batch=3)
    np.testing.assert_allclose(follow(states[..., :2], actions, motion=MOTION), states, atol=1e-9)


def test_with_all_weight_on_the_frames_the_speed_is_that_between_two_of_them():
    states, actions = drive(50)
    wrong = replace(MASS, decay=0.5, gain=0.01, max_speed=1e9)
    told = follow(states[..., :2], actions, motion=MotionFilter(wrong, position_gain=1.0, speed_gain=1.0))
    np.testing.assert_allclose(told[:, 1:, 2:], np.diff(states[..., :2], axis=1) / MASS.step, atol=1e-9)


def test_speeds_are_better_than_those_of_noisy_frames():
    states, actions = drive()
    seen = states[..., :2] + 0.002 * np.random.default_rng(1).normal(size=states[..., :2].shape)
    told = follow(seen, actions, motion=MOTION)
    alone = np.diff(seen, axis=1) / MASS.step
    error, error_alone = (found - states[:, 1:, 2:] for found in (told[:, 1:, 2:], alone))
    assert error.std() < 0.25 * error_alone.std()
    assert (told[..., :2] - states[..., :2]).std() < 0.002


def test_of_what_a_wall_holds_it_says_a_little_speed_while_it_is_pushed_and_none_after():
    """Pushed and held, the correction cancels the push at a speed of its own; unfiltered it would run at the limit."""
    actions = np.concatenate([np.ones((1, 200, 2)), np.zeros((1, 200, 2))], axis=1)
    told = follow(np.zeros((1, 400, 2)), actions, motion=MOTION)
    kept = 1 - MOTION.speed_gain / MOTION.position_gain
    np.testing.assert_allclose(told[0, 199, 2:], kept * MASS.gain / (1 - kept * MASS.decay), rtol=1e-9)
    np.testing.assert_allclose(told[0, -1], 0, atol=1e-9)


@pytest.mark.parametrize(("position_gain", "speed_gain"), [(0.5, 0.1), (0.05, 0.001), (1.0, 1.0), (0.9, 0.9)])
def test_a_wrong_beginning_is_forgotten_after_its_memory(position_gain, speed_gain):
    motion = MotionFilter(MASS, position_gain=position_gain, speed_gain=speed_gain)
    still = np.zeros((1, 2))
    told = np.array([[0.01, -0.01, 1.0, -1.0]])  # an error of a step at full force
    for _ in range(motion.memory):
        told = motion.follow(told, actions=still, positions=still)
    assert np.abs(told[:, 2:]).max() < 1e-6
    assert np.abs(told[:, :2]).max() < 1e-8


@pytest.mark.parametrize("gains", [(0.5, 0.1), (0.05, 0.001)])
def test_data_and_agent_are_told_the_same_to_the_end_of_every_piece(gains):
    motion = MotionFilter(MASS, *gains)
    states, actions = drive(batch=2)
    seen = (states[..., :2] + 0.002 * np.random.default_rng(1).normal(size=states[..., :2].shape)).astype(np.float32)
    data = follow_trajectories(trajectories(states, actions), seen.reshape(-1, 2), motion=motion)
    told = follow(seen.astype(np.float64), actions, motion=motion)
    np.testing.assert_allclose(data.observations.reshape(2, ROWS, 4), told, atol=2e-6)
    assert data.source == "a drive, seen"


def test_nothing_is_carried_from_one_trajectory_to_the_next():
    states, actions = drive(PIECE + 7, batch=3)
    data = follow_trajectories(trajectories(states, actions), states[..., :2].reshape(-1, 2), motion=MOTION)
    np.testing.assert_allclose(data.observations, states.reshape(-1, 4), atol=1e-5)


def test_a_description_is_read_back():
    assert read_motion(MOTION.describe()) == MOTION


@pytest.mark.parametrize(
    "wrong",
    [{"position_gain": 0}, {"speed_gain": 1.1}, {"point_mass": asdict(MASS) | {"step": -1}}, {"point_mass": {}}],
)
def test_a_description_without_sense_is_refused(wrong):
    with pytest.raises((KeyError, ValueError)):
        read_motion(MOTION.describe() | wrong)
