"""The scripted driver of the T-maze reaches the arm that was named, and keeps the cue to itself until it turns."""

import numpy as np
import pytest

from dfplan.data.formats import write
from dfplan.domains.find import find_domain
from dfplan.domains.maze.demonstrations import build_tmaze, demonstrate_closed_door, demonstrate_tmaze
from dfplan.errors import UserError

STEPS = 192


@pytest.fixture(scope="module")
def episodes():
    data = demonstrate_tmaze("tmaze-v0", num_episodes=40, num_steps=STEPS, seed=0, noise=0.5)
    return data, data.observations.reshape(40, STEPS + 1, 5)


def test_every_episode_reaches_its_own_arm_and_not_the_other(episodes):
    env, (_, seen) = build_tmaze("tmaze-v0"), episodes
    for cue, states in zip([-1, 1] * 20, seen, strict=True):
        near = {arm: np.linalg.norm(states[:, :2] - end, axis=1) <= 0.5 for arm, end in env.arms.items()}
        assert near[cue][-1]
        assert not near[-cue].any()


def test_the_light_is_recorded_as_the_environment_shows_it(episodes):
    env, (_, seen) = build_tmaze("tmaze-v0"), episodes
    assert (seen[::2, : env.light_steps, 4] == -1).all()
    assert (seen[1::2, : env.light_steps, 4] == 1).all()
    assert (seen[:, env.light_steps :, 4] == 0).all()


def test_recorded_actions_lead_from_state_to_state(episodes):
    env, (data, seen) = build_tmaze("tmaze-v0"), episodes
    env.ball.set_state(*seen[0, 0, :4].tolist())
    for step in range(30):
        np.testing.assert_allclose(env.ball.step(*data.actions[step].tolist()), seen[0, step + 1, :4], atol=1e-4)


def test_before_the_junction_the_motion_is_the_same_for_either_cue(monkeypatch):
    """With the same random numbers and the cues exchanged, states agree until the driver turns."""
    first = demonstrate_tmaze("tmaze-v0", num_episodes=2, num_steps=STEPS, seed=5, noise=0.5).observations
    env = build_tmaze("tmaze-v0")
    monkeypatch.setattr(env, "arms", {-1: env.arms[1], 1: env.arms[-1]})
    monkeypatch.setattr("dfplan.domains.maze.demonstrations.build_tmaze", lambda _: env)
    second = demonstrate_tmaze("tmaze-v0", num_episodes=2, num_steps=STEPS, seed=5, noise=0.5).observations
    first, second = (each.reshape(2, STEPS + 1, 5) for each in (first, second))
    for one, other in zip(first, second, strict=True):
        turned = int((np.linalg.norm(one[:, :2] - env.junction, axis=1) < 0.3).argmax())
        assert turned > env.light_steps
        np.testing.assert_array_equal(one[: turned + 1, :4], other[: turned + 1, :4])
        assert np.abs(one[-1, :4] - other[-1, :4]).max() > 2


def test_what_is_no_tmaze_is_refused():
    with pytest.raises(UserError, match="no T-maze"):
        demonstrate_tmaze("maze2d-umaze-v1", num_episodes=2, num_steps=8, seed=0, noise=0.0)
    with pytest.raises(UserError, match="no environment"):
        demonstrate_tmaze("tmaze-v9", num_episodes=2, num_steps=8, seed=0, noise=0.0)
    with pytest.raises(UserError, match="num_episodes"):
        demonstrate_tmaze("tmaze-v0", num_episodes=1, num_steps=8, seed=0, noise=0.0)


def test_the_driver_who_is_told_which_door_is_closed_reaches_the_goal_in_time(tmp_path):
    """As data of the environment: its sizes, its goal, the door as it is shown, read back from a file as it was."""
    data, domain = demonstrate_closed_door(num_steps=10 * 320, seed=0, noise=0.5), find_domain("closed-door-v0")
    seen = data.observations.reshape(10, 321, 5)
    goal = domain.make().reset(seed=0)[0]["desired_goal"]
    there = np.linalg.norm(seen[..., :2] - goal, axis=-1) <= domain.goal_radius
    assert there[:, -1].all()
    assert (there.argmax(axis=1) < 300).all()
    assert (seen[:, :8, 4] == np.tile([-1, 1], 5)[:, None]).all()
    assert (seen[:, 8:, 4] == 0).all()
    read = domain.load(str(write(data, tmp_path / "data.hdf5")), say=lambda line: None)
    np.testing.assert_array_equal(read.observations, data.observations)
    np.testing.assert_array_equal(read.starts, data.starts)
