"""Environments driven by a script: what is written is what was done, and the scripts reach their goals."""

import json

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from dfplan.cli.main import main
from dfplan.data.formats import read
from dfplan.domains.find import find_domain
from dfplan.domains.scripted import domain as scripted


class Beam(gymnasium.Env):
    """A carriage on a beam, to be brought to a mark within 30 steps."""

    observation_space = spaces.Dict(
        {
            name: spaces.Box(-9, 9, (size,))
            for name, size in (("observation", 2), ("achieved_goal", 1), ("desired_goal", 1))
        }
    )
    action_space = spaces.Box(-1, 1, (1,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place, self.mark = self.np_random.uniform(-1, 1, (2, 1))
        return self._shown(), {}

    def step(self, action):
        self.place = self.place + 0.1 * action
        reward = self.compute_reward(self.place, self.mark, {})
        return self._shown(), float(reward), False, False, {"is_success": reward == 0}

    def compute_reward(self, achieved, desired, info):
        return -(np.abs(achieved - desired).max(axis=-1) > 0.05).astype(float)

    def _shown(self):
        return {"observation": np.append(self.place, 1.0), "achieved_goal": self.place, "desired_goal": self.mark}


gymnasium.register("Beam-v0", Beam, max_episode_steps=30)


@pytest.fixture(autouse=True)
def the_beam_has_a_script(monkeypatch, tmp_path):
    script = lambda observation, goal: 10 * (goal - observation[:1])  # noqa: E731
    monkeypatch.setattr(scripted, "KNOWN", {**scripted.KNOWN, "Beam-v0": script})
    monkeypatch.setattr("dfplan.domains.find.KNOWN", scripted.KNOWN)
    find_domain.cache_clear()
    monkeypatch.chdir(tmp_path)
    yield
    find_domain.cache_clear()


def test_what_is_written_is_what_the_environment_does_under_these_actions(tmp_path):
    assert main(["generate", "env=Beam-v0", "num_steps=100", "output=beam.hdf5", "seed=3"]) == 0
    data = read(tmp_path / "beam.hdf5")
    assert len(data.starts) - 1 == 4  # whole episodes of 30 steps
    assert data.truncations.sum() == 4
    first = slice(0, 30)
    places, moved = data.achieved_goals[:31, 0], data.actions[first, 0]
    np.testing.assert_allclose(np.diff(places), 0.1 * moved, atol=1e-6)
    assert np.abs(data.actions).max() <= 1
    reached = np.abs(places[1:] - data.goals[0, 0]) <= 0.05
    np.testing.assert_array_equal(data.rewards[first] == 0, reached)


def test_the_seed_decides_and_no_noise_is_the_script_alone(tmp_path):
    for name, words in {"a": ["seed=1"], "b": ["seed=1"], "c": ["seed=2"], "still": ["seed=1", "noise=0"]}.items():
        assert main(["generate", "env=Beam-v0", "num_steps=60", f"output={name}.hdf5", *words]) == 0
    a, b, c, still = (read(tmp_path / f"{name}.hdf5") for name in ("a", "b", "c", "still"))
    np.testing.assert_array_equal(a.actions, b.actions)
    assert not np.array_equal(a.actions, c.actions)
    wanted = np.clip(10 * (still.goals - still.achieved_goals), -1, 1)
    acted = np.ones(len(still), bool)
    acted[still.starts[1:] - 1] = False  # the row that an episode ended in
    np.testing.assert_allclose(still.actions[acted], wanted[acted], atol=1e-5)


def test_the_script_is_an_agent_of_evaluations(capsys):
    assert main(["eval", "env=Beam-v0", "agent=script", "n_episodes=5", "output=played"]) == 0
    assert "100.0" in capsys.readouterr().out
    assert main(["eval", "env=Beam-v0", "agent=scrpt", "n_episodes=5"]) == 2
    assert "script" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("task", ["Reach", "Push", "PickAndPlace"])
def test_fetch_is_brought_to_its_goals(task, capsys):
    pytest.importorskip("gymnasium_robotics")
    assert main(["eval", f"env=Fetch{task}-v4", "agent=script", "n_episodes=10", "seed=7", "output=played"]) == 0
    assert "100.0" in capsys.readouterr().out


@pytest.mark.slow
def test_a_puck_is_struck_so_that_it_comes_to_rest_at_its_goal_more_often_than_not(tmp_path):
    pytest.importorskip("gymnasium_robotics")
    words = ["env=FetchSlide-v4", "agent=script", "n_episodes=30", "seed=7", f"output={tmp_path / 'played'}"]
    assert main(["eval", *words]) == 0
    assert json.loads((tmp_path / "played" / "results.json").read_text())["metrics"]["success_rate"]["mean"] > 0.4
