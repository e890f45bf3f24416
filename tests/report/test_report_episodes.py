"""The best, the median and the worst episode, and that a film shows what happened and nothing else."""

from dataclasses import replace

import gymnasium
import numpy as np
import pytest

from dfplan.domains.find import find_domain
from dfplan.errors import UserError
from dfplan.evaluation import report_episodes
from dfplan.evaluation.report_episodes import choose_episodes, film_episode
from dfplan.evaluation.rollout import evaluate_agent


class Pushes:
    """Pushes about, each episode in its own way."""

    on_plan = None

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def reset(self, *, seeds, goals):
        self.generators = [np.random.default_rng(seed) for seed in seeds]

    def act(self, observations):
        return np.stack([each.uniform(-1, 1, self.dim) for each in self.generators]).astype(np.float32)


def rolled_out(env_id: str, dim: int, *, num_episodes: int = 3):
    protocol = find_domain(env_id).protocol()
    rollouts = evaluate_agent(Pushes(dim), protocol, num_episodes=num_episodes, num_envs=2, seed=3)
    return protocol, rollouts


@pytest.mark.parametrize(
    ("scores", "chosen"),
    [
        ([5.0], {"best": 0}),
        ([5.0, 6.0], {"best": 1, "worst": 0}),
        ([5.0, 7.0, 6.0], {"best": 1, "median": 2, "worst": 0}),
        ([1.0, 1.0, 1.0, 1.0], {"best": 0, "median": 1, "worst": 3}),
        ([4.0, 3.0, 2.0, 1.0], {"best": 0, "median": 1, "worst": 3}),
    ],
)
def test_best_median_and_worst(scores, chosen):
    assert choose_episodes(np.array(scores)) == chosen


@pytest.mark.parametrize("env_id", ["maze2d-umaze-v1", "tmaze-v0", "pixelmaze-umaze-v1"])
def test_a_film_shows_the_states_of_the_episode(env_id):
    protocol, rollouts = rolled_out(env_id, 2)
    frames = list(film_episode(protocol, rollouts, 2, most_frames=10, seconds=60.0))
    assert 9 <= len(frames) <= 11
    assert (frames[0] != frames[-1]).any()
    if env_id == "maze2d-umaze-v1":
        env = gymnasium.make("dfplan_envs:maze2d-umaze-v1", render_mode="rgb_array")
        env.reset(seed=0, options={"start": rollouts.states[2][-1, :2]})
        assert np.array_equal(env.render(), frames[-1])


def test_where_drawing_is_slow_frames_stand_for_several():
    protocol, rollouts = rolled_out("maze2d-umaze-v1", 2)
    frames = list(film_episode(protocol, rollouts, 0, most_frames=20, seconds=0.0))
    assert len({frame.tobytes() for frame in frames}) == 2  # how it begins and how it ends
    assert 19 <= len(frames) <= 21


def test_what_happens_otherwise_than_it_did_is_not_shown():
    protocol, rollouts = rolled_out("maze2d-umaze-v1", 2)
    other = replace(rollouts, states=[each + 0.01 for each in rollouts.states])
    with pytest.raises(UserError, match="does not do the same again: at step 0"):
        list(film_episode(protocol, other, 0, most_frames=10, seconds=60.0))


def test_what_cannot_be_drawn_says_why(monkeypatch):
    protocol, rollouts = rolled_out("Pendulum-v1", 1, num_episodes=1)
    monkeypatch.setitem(__import__("sys").modules, "pygame", None)  # as where it is not installed
    with pytest.raises(UserError, match="Pendulum-v1 cannot be drawn here: DependencyNotInstalled"):
        list(film_episode(protocol, rollouts, 0, most_frames=10, seconds=60.0))


def test_mujoco_that_found_nothing_to_draw_with_is_not_asked_again(monkeypatch):
    protocol, rollouts = rolled_out("maze2d-umaze-v1", 2, num_episodes=1)
    monkeypatch.setattr(report_episodes, "NO_DRAWING", [])
    tried = []

    def draw():
        tried.append(1)
        raise type("FatalError", (Exception,), {"__module__": "mujoco"})("no OpenGL")

    monkeypatch.setattr(type(protocol), "film", lambda *_, **__: iter([(rollouts.states[0][0], draw)]))
    for _ in range(2):  # some versions of MuJoCo abort the process
        with pytest.raises(UserError, match=r"cannot be drawn here: FatalError: no OpenGL; MUJOCO_GL=egl or"):
            list(film_episode(protocol, rollouts, 0, most_frames=10, seconds=60.0))
    assert len(tried) == 1
