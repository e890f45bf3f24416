"""Meta-World: configurations by seed, the scripted policies and their second ways, data, and what is refused."""

import json
import sys
import warnings
from pathlib import Path

import gymnasium
import h5py
import numpy as np
import pytest

from dfplan.cli.any_environment import with_environment
from dfplan.cli.main import main
from dfplan.data.formats import read
from dfplan.domains.find import find_domain
from dfplan.domains.gymnasium import register_known
from dfplan.domains.metaworld import environment
from dfplan.domains.metaworld.demonstrators import GOAL, OBJECT, TWO_WAYS, Demonstrator
from dfplan.domains.metaworld.environment import EPISODE_STEPS, NUM_SHOWN, TASKS, TEN
from dfplan.errors import UserError

PUSH = "metaworld/push-v3"


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DFPLAN_CACHE", str(tmp_path / "cache"))


def need_metaworld():
    pytest.importorskip("metaworld", reason="pip install 'dfplan[metaworld]'")


def begun(env_id, seed, **options):
    env = find_domain(env_id).make()
    shown = env.reset(seed=seed, **options)[0]
    env.close()
    return shown


@pytest.mark.parametrize("task", TASKS)
def test_a_seed_is_a_configuration(task):
    need_metaworld()
    env = find_domain(f"metaworld/{task}-v3").make()
    shown = [env.reset(seed=seed)[0] for seed in (1, 2, 1)]
    np.testing.assert_array_equal(shown[0], shown[2])
    where = [np.concatenate([each[OBJECT], each[GOAL]]) for each in shown]
    assert np.abs(where[0] - where[1]).max() > 1e-3
    assert np.abs(shown[0][GOAL]).max() > 0  # it is not hidden
    following = env.step(np.zeros(4, np.float32))[0]
    np.testing.assert_allclose(following[GOAL], shown[2][GOAL])  # nor clipped
    env.close()


def test_reported_episodes_are_none_that_were_learned_from():
    need_metaworld()
    domain = find_domain(PUSH)
    main(["generate", f"env={PUSH}", "num_steps=200", "output=push.hdf5"])
    data = read("push.hdf5")
    learned = data.observations[data.starts[:-1]][:, OBJECT]
    with domain.protocol().begin(range(3), seed=1000) as running:
        assert np.abs(running.begun.observations[:, None, OBJECT] - learned).max(axis=-1).min() > 1e-4


@pytest.mark.parametrize("env_id", [PUSH, TEN])
def test_observations_are_within_their_space(env_id):
    need_metaworld()
    register_known(env_id)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env = gymnasium.make(env_id)  # with the checker that a user has
        shown, _ = env.reset(seed=0)
        assert env.observation_space.contains(shown)
        assert env.observation_space.contains(env.step(env.action_space.sample())[0])
        env.close()


def test_all_ten_tell_which_it_is():
    need_metaworld()
    domain = find_domain(TEN)
    assert domain.spec.observation_dim == NUM_SHOWN + len(TASKS)
    for number in (0, 1, 13):
        shown = begun(TEN, 0, options=domain.reset_options(number))
        assert TASKS[int(shown[NUM_SHOWN:].argmax())] == TASKS[number % len(TASKS)]
    with pytest.raises(UserError, match="task must be one of reach, push"):
        begun(TEN, 0, options={"task": "juggle"})


@pytest.mark.parametrize("task", TWO_WAYS)
def test_two_ways_want_other_things_in_the_same_states_and_both_succeed(task):
    need_metaworld()
    domain = find_domain(f"metaworld/{task}-v3")
    ways = [Demonstrator((task,), noise=0.0, way=way) for way in TWO_WAYS[task]]
    env, successes = domain.make(), np.zeros(2)
    for seed in range(4):
        for number in range(2):
            shown, over, apart = env.reset(seed=seed)[0], False, []
            while not over:
                actions = [each.act(shown, None) for each in ways]
                apart.append(np.abs(actions[0] - actions[1]).max())
                shown, _, _, over, info = env.step(actions[number].astype(np.float32))
            successes[number] += info["success"]
            assert np.mean(np.array(apart) > 0.3) > 0.1  # of the steps
    env.close()
    assert (successes >= 2).all()


def test_an_episode_ends_with_its_first_success():
    need_metaworld()
    env, script = find_domain(PUSH).make(), Demonstrator(("push",), noise=0.0)
    shown, over, told = env.reset(seed=3)[0], False, []
    assert env.spec.max_episode_steps == EPISODE_STEPS
    while not over:
        shown, _, terminated, over, info = env.step(script.act(shown, None).astype(np.float32))
        told.append(bool(info["success"]))
    assert told.index(True) == len(told) - 1
    assert not terminated  # it would go on earning
    env.close()


def test_data_are_of_successes_and_say_how_they_were_made(capsys):
    need_metaworld()
    assert main(["generate", f"env={PUSH}", "num_steps=400", "quality=multimodal", "output=push.hdf5"]) == 0
    assert "demonstrations" in capsys.readouterr().err
    with h5py.File("push.hdf5") as file:
        ends, told = file["timeouts"][:], json.loads(file.attrs["metadata"])
        assert file["infos/success"][:][ends].all()
        assert set(file["infos/policy"][:]) == {0, 1}
        assert ends[-1]
        assert len(ends) >= 400
    assert told["noise"] == 0.1
    assert told["episodes"] == ends.sum()
    assert "metaworld" in told["versions"]
    assert main(["generate", "env=metaworld/reach-v3", "quality=multimodal", "output=reach.hdf5"]) == 2
    assert main(["generate", f"env={PUSH}", "quality=medium", "output=medium.hdf5"]) == 2
    wrong = capsys.readouterr().err
    assert "env= one of metaworld/push-v3" in wrong
    assert "quality= must be one of expert, multimodal" in wrong


def test_the_script_is_an_agent_that_succeeds():
    need_metaworld()
    assert main(["eval", "env=metaworld/window-open-v3", "agent=script", "n_episodes=2", "output=out"]) == 0
    found = json.loads(Path("out/results.json").read_text())
    assert found["metrics"]["success_rate"]["mean"] == 1
    assert found["success_of_each_task"] == {"window-open": 1.0}


def test_what_suits_demonstrations_is_chosen_where_nothing_is_said():
    told = with_environment("train", [f"env={TEN}"])
    assert {"windows=chunks", "training=scripted", "env.name=metaworld-ten"} <= set(told)
    assert "planner=chunks" in with_environment("eval", [f"env={PUSH}"])
    assert "training=scripted" not in with_environment("train", [f"env={PUSH}", "training=gpu"])


@pytest.mark.slow
def test_from_data_to_a_success_rate_by_the_command_line():
    need_metaworld()
    assert main(["generate", f"env={PUSH}", "num_steps=600", "output=push.hdf5"]) == 0
    few = ["training.num_steps=20", "training.validate_every=0", "threads=1"]
    for name, task in (("ours", []), ("bc", ["task=behaviour-cloning"])):
        assert main(["train", f"env={PUSH}", "data=push.hdf5", f"output={name}", *task, *few]) == 0
        assert main(["eval", f"env={PUSH}", f"weights={name}", "n_episodes=2", f"output={name}-eval"]) == 0
        metrics = json.loads(Path(f"{name}-eval/results.json").read_text())["metrics"]
        assert 0 <= metrics["success_rate"]["mean"] <= 1


def test_a_missing_package_and_a_wrong_mujoco_are_one_line(monkeypatch, capsys):
    find_domain.cache_clear()
    monkeypatch.setitem(sys.modules, "metaworld", None)
    assert main(["generate", f"env={PUSH}"]) == 2
    assert "pip install 'dfplan[metaworld]'" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "metaworld", sys)  # it is there
    monkeypatch.setattr(environment, "version", lambda name: "4.0.0")
    assert main(["generate", f"env={PUSH}"]) == 2
    told = capsys.readouterr().err
    assert "MuJoCo 4.0.0" in told
    assert "3.3 to 3.16" in told
    assert told.count("\n") == 1
