"""The T-maze through a camera: ball and lamp are seen, the velocity is not, and what is hidden stays hidden."""

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from dfplan_envs.camera import BALL_COLOR
from dfplan_envs.pixel_tmaze import LAMP_COLOR, PixelTMazeEnv
from dfplan_envs.tmaze import TMazeEnv


def lamp_columns(frame):
    """Columns of the pixels that have the colour of the lamp."""
    return np.flatnonzero((frame == LAMP_COLOR).all(axis=-1).any(axis=0))


def test_gymnasium_accepts_it():
    check_env(gymnasium.make("dfplan_envs:pixel-tmaze-v0", disturbed_share=0.3).unwrapped)


@pytest.mark.parametrize("cue", [-1, 1])
def test_the_lamp_is_on_the_side_of_the_cue_and_goes_out(cue):
    env = PixelTMazeEnv(light_steps=3)
    frames = [env.reset(seed=0, options={"cue": cue})[0]] + [env.step(np.zeros(2))[0] for _ in range(5)]
    for frame in frames[:3]:
        columns = lamp_columns(frame)
        assert len(columns) >= 5
        assert (columns < 32).all() if cue == -1 else (columns >= 32).all()
    assert all(len(lamp_columns(frame)) == 0 for frame in frames[3:])


def test_it_is_the_same_world_as_the_one_of_states():
    seeing, told = PixelTMazeEnv(), TMazeEnv()
    frame, _ = seeing.reset(seed=2)
    told.reset(seed=2)
    for action in np.random.default_rng(0).uniform(-1, 1, size=(40, 2)):
        frame, reward, *_, info = seeing.step(action)
        _, other_reward, *_, other = told.step(action)
        np.testing.assert_array_equal(info["state"], other["state"])
        assert (reward, info["cue"]) == (other_reward, other["cue"])
    place = seeing.camera.to_pixels(info["state"][:2])
    row, column = np.floor(place).astype(int)
    assert np.abs(frame[row, column].astype(int) - BALL_COLOR).max() <= 2


def test_frames_show_position_and_light_alone():
    env = PixelTMazeEnv()
    states = np.array([[2.0, 2.8, 0.0, 0.0], [2.0, 2.8, 3.0, -1.0], [2.01, 2.8, 0.0, 0.0]])
    frames = env.observe(states, light=np.zeros(3))
    assert frames.shape == (3, 64, 64, 3)
    np.testing.assert_array_equal(frames[0], frames[1])
    assert not np.array_equal(frames[0], frames[2])


def test_a_disturbed_frame_is_noise_all_over():
    env = PixelTMazeEnv(disturbed_share=1.0)
    frame, info = env.reset(seed=0)
    assert info["disturbed"]
    assert abs(frame.mean() - 127.5) < 3
    assert not np.array_equal(frame, env.step(np.zeros(2))[0])
