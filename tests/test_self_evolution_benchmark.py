"""An arm whose data go near alone: what far goals are there, and that rounds of practice raise what is reached."""

import json

import gymnasium
import numpy as np
import pytest
from from_benchmarks import module

import dfplan
from dfplan.cli.main import main
from dfplan.data.formats import write

arm = module("arm", of="self_evolution")


def reach(env, *, seed):
    """Whether a hand that knows the way is at its goal at the end of an episode, and how far that was."""
    seen, _ = env.reset(seed=seed)
    start, goal, inside = seen["achieved_goal"], seen["desired_goal"], env.unwrapped
    wanted = arm.angles_of(2 * np.arccos(np.linalg.norm(goal) / 2), np.arctan2(goal[1], goal[0]))
    for _ in range(arm.STEPS):
        seen, _, _, _, info = env.step((wanted - inside.angles) / arm.TURN)
    np.testing.assert_allclose(arm.places(inside.angles), seen["achieved_goal"])
    return info["is_success"], np.linalg.norm(goal - start)


def test_all_goals_can_be_reached_and_few_of_them_are_as_near_as_those_of_the_data():
    env = gymnasium.make("Arm-v0")
    reached, distances = zip(*(reach(env, seed=seed) for seed in range(50)), strict=True)
    assert all(reached)
    data = arm.short_reaches(200, seed=0)
    ways = data.achieved_goals.reshape(200, -1, 2)
    farthest = np.quantile(np.linalg.norm(ways[:, -1] - ways[:, 0], axis=1), 0.95)
    assert np.mean(np.array(distances) > farthest) > 0.4
    ends = data.goals.reshape(200, -1, 2)[:, -1]
    assert np.mean(np.linalg.norm(ways[:, -1] - ends, axis=1) < arm.RADIUS) > 0.7


def test_data_of_the_front_lack_what_is_asked_for():
    data, env = arm.front_reaches(100, seed=0), gymnasium.make("ArmFront-v0")
    shown = [env.reset(seed=seed)[0] for seed in range(100)]
    goals, starts = (np.array([seen[name] for seen in shown]) for name in ("desired_goal", "achieved_goal"))
    known = np.abs(np.arctan2(data.goals[:, 1], data.goals[:, 0]))
    assert known.max() <= arm.FRONT + 1e-6
    assert np.abs(np.arctan2(starts[:, 1], starts[:, 0])).max() <= arm.FRONT
    assert 0.3 < np.mean(np.abs(np.arctan2(goals[:, 1], goals[:, 0])) > arm.FRONT) < 0.7


@pytest.mark.slow
def test_rounds_raise_what_is_reached(tmp_path):
    data, begun, folder = tmp_path / "data.hdf5", tmp_path / "begun", tmp_path / "evolved"
    write(arm.short_reaches(1000, seed=0), data)
    options = ("model.width=48", "training.num_steps=1000", "training.validate_every=0", "threads=1")
    dfplan.train(data, env="Arm-v0", output=begun, options=options)
    words = ("rounds=2", "n_episodes=100", "eval_episodes=60", "eval_seed=5000", f"output={folder}")
    assert main(["evolve", "env=Arm-v0", f"weights={begun}", f"data={data}", *words]) == 0
    first, _, last = (each["success"]["mean"] for each in json.loads((folder / "curve.json").read_text())["rounds"])
    assert last >= first + 0.1
