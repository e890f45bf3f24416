"""T-mazes go the way of every environment: evaluated, planned in, compared, with the arm that is named in turns."""

import json

import from_benchmarks
import numpy as np
import pytest

from dfplan.cli.main import main
from dfplan.domains.find import find_domain
from dfplan.domains.maze.tmaze import TMazeDomain
from dfplan.evaluation.rollout import evaluate_agent

roll_out_choices = from_benchmarks.module("choices", of="memory").roll_out_choices

TINY = ["training.num_steps=2", "task.num_episodes=8", "task.held_out_episodes=2", "model.width=16", "threads=1"]


class Driver:
    """Drives up the stem and into an arm: the one that the light named, or always the same."""

    on_plan = None

    def __init__(self, arm=None):
        self.env, self.arm = find_domain("tmaze-v0").make().unwrapped, arm

    def reset(self, *, seeds, goals=None):
        self.arms, self.turned = np.zeros(len(seeds)), np.zeros(len(seeds), dtype=bool)

    def act(self, observations, *, levels=None):
        lit = observations[:, 4] != 0
        self.arms[lit] = observations[lit, 4]
        chosen = self.arms if self.arm is None else np.full(len(observations), self.arm)
        self.turned |= np.linalg.norm(observations[:, :2] - self.env.junction, axis=1) < 0.2
        targets = np.where(self.turned[:, None], [self.env.arms[int(each)] for each in chosen], self.env.junction)
        force = 2 * (3 * (targets - observations[:, :2]) - observations[:, 2:4])
        return np.clip(force, -1, 1).astype(np.float32)

    def finish(self, indices):
        pass


@pytest.mark.parametrize(("arm", "share"), [(None, 1.0), (-1, 0.5), (1, 0.5)])
def test_who_goes_by_the_light_is_always_right_and_who_does_not_in_half(arm, share):
    protocol = find_domain("tmaze-v0").protocol()
    found = protocol.measure(evaluate_agent(Driver(arm), protocol, num_episodes=6, num_envs=4, seed=0))
    assert found.metrics["success_rate"]["mean"] == share
    np.testing.assert_array_equal(found.compared, [each["success"] for each in found.episodes])  # success is what pays


def test_the_episodes_are_those_in_which_choices_are_counted():
    rollouts = evaluate_agent(Driver(), find_domain("tmaze-v0").protocol(), num_episodes=4, num_envs=3, seed=5)
    counted = roll_out_choices(Driver(), env_id="tmaze-v0", num_episodes=4, seed=5)
    assert [len(rewards) for rewards in rollouts.rewards] == counted.steps.tolist()
    assert [states[0, 4] for states in rollouts.states] == counted.cues.tolist()


def test_states_and_frames_are_told_apart():
    assert isinstance(find_domain("pixel-tmaze-v0"), TMazeDomain)
    assert [find_domain(env_id).shows_frames for env_id in ("tmaze-v0", "pixel-tmaze-v0")] == [False, True]


@pytest.mark.slow
@pytest.mark.parametrize("env", ["tmaze", "pixel-tmaze"])
def test_it_is_evaluated_planned_in_and_compared_by_the_command_line(env, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "task=memory", f"env={env}", "output=run", *TINY]) == 0
    words = [f"env={env}", "threads=1"]
    assert main(["eval", *words, "weights=run", "n_episodes=2", "output=scored"]) == 0
    record = json.loads((tmp_path / "scored" / "results.json").read_text())
    assert record["controller"] == "actions"
    assert record["metrics"]["success_rate"]["mean"] in (0, 0.5, 1)
    assert [each["steps"] <= 256 for each in record["episodes"]] == [True, True]
    assert main(["plan", *words, "weights=run", "output=drawn"]) == 0
    assert (tmp_path / "drawn" / "plan.png").is_file()
    few = ["n_episodes=1", "n_envs=1", "n_plans=1", "least_plans=1", "timing_seconds=0.01", "output=compared"]
    assert main(["bench", *words, "agents=[mine]", "+options_of.mine=[weights=run]", *few]) == 0
    capsys.readouterr()
    assert main(["eval", *words, "weights=run", "controller=shooting"]) == 2
    assert "controller=shooting is not for" in capsys.readouterr().err
    assert main(["eval", *words, "weights=run", "goal=random"]) == 2
    assert "goal=random is not for" in capsys.readouterr().err
