"""`dfplan record`: what is written is what happened in the environment, in every layout, and is data to train on."""

from dataclasses import fields
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from pendulum import write_pendulum

from dfplan.cli.main import main
from dfplan.data.formats import read
from dfplan.domains.maze.beginnings import draw_beginnings
from dfplan.domains.maze.environment import qualified_id
from dfplan.domains.maze.sources import load_trajectories
from dfplan.types import Bounds, Trajectories

TINY = ("training.num_steps=2", "training.batch_size=4", "training.compiled=false", "env.window_tokens=3", "threads=1")
NARROW = ("model.width=16", "model.num_layers=1")
QUICK = ("planner.num_candidates=2", "planner.num_levels=1", "planner.horizon=4", "n_episodes=2")
TARGETS = ("minari:mine/pendulum-v0", "pendulum.hdf5", "pendulum")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("record")


@pytest.fixture(autouse=True)
def in_the_folder(folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(folder / "minari"))


@pytest.fixture(scope="module")
def weights(folder):
    data, run = write_pendulum(folder / "hand.hdf5", num_episodes=3), folder / "trained"
    assert main(["train", "env=Pendulum-v1", f"data={data}", f"output={run}", *TINY, *NARROW]) == 0
    return run


def recorded(target, weights):
    if not Path("minari/mine/pendulum-v0" if ":" in target else target).exists():
        assert main(["record", "env=Pendulum-v1", f"weights={weights}", f"data={target}", "seed=3", *QUICK]) == 0
    return read(target)


def replayed(data, env, *, seed, starts=()):
    """What the environment shows and pays for the actions of a data set, episode by episode."""
    for number, (first, last) in enumerate(zip(data.starts, data.starts[1:], strict=False)):
        own, _ = np.random.SeedSequence([seed, number]).generate_state(2)
        options = {"start": starts[number]} if len(starts) else None
        shown, rewards = [env.reset(seed=int(own), options=options)[0]], []
        for action in data.actions[first : last - 1]:
            observed, reward, *_ = env.step(action)
            shown.append(observed)
            rewards.append(reward)
        yield slice(first, last), np.array(shown), np.array(rewards)


@pytest.mark.parametrize("target", TARGETS)
def test_what_is_read_back_is_what_the_environment_does_under_these_actions(target, weights):
    data = recorded(target, weights)
    assert np.diff(data.starts).tolist() == [201, 201]
    assert (data.action_bounds.low, data.action_bounds.high, data.step_seconds) == (-2, 2, 0.05)
    assert np.flatnonzero(data.truncations).tolist() == [199, 400]
    assert not data.terminations.any()
    for rows, shown, rewards in replayed(data, gymnasium.make("Pendulum-v1"), seed=3):
        np.testing.assert_array_equal(data.observations[rows], shown)
        np.testing.assert_array_equal(data.rewards[rows], np.append(rewards, 0).astype(np.float32))
    assert np.ptp(data.actions) > 0.1


def test_all_layouts_hold_the_same(weights):
    first, *others = (recorded(target, weights) for target in TARGETS)
    for other in others:
        for each in fields(Trajectories):
            mine, its = getattr(first, each.name), getattr(other, each.name)
            if each.name not in ("source", "checksum", "notes"):
                mine, its = (vars(value) if isinstance(value, Bounds) else value for value in (mine, its))
                np.testing.assert_equal(its, mine, err_msg=each.name)


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_is_written_over_and_that_is_said_before_the_work(target, weights, capsys):
    recorded(target, weights)
    capsys.readouterr()
    assert main(["record", "env=Pendulum-v1", f"weights={weights}", f"data={target}", "n_episodes=1000000"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("dfplan: error:")
    assert "is there already" in error
    assert not list(Path().glob("**/.*.taken"))


def test_episodes_in_a_maze_are_data_of_that_maze(capsys):
    words = ["record", "env=maze2d-umaze", "agent=waypoints", "goal=random", "n_episodes=3", "n_envs=2", "data=u.hdf5"]
    assert main(words) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "u.hdf5"
    data = read("u.hdf5")
    env = gymnasium.make(qualified_id("maze2d-umaze-v1"), goal="random")
    drawn = draw_beginnings(range(3), maze=env.unwrapped.maze, goal="random", seed=0)
    for rows, shown, rewards in replayed(data, env, seed=0, starts=drawn.starts):
        np.testing.assert_array_equal(data.observations[rows], shown.astype(np.float32))
        np.testing.assert_array_equal(data.rewards[rows][:-1], rewards)
        np.testing.assert_allclose(data.goals[rows], np.broadcast_to(env.unwrapped.goal, (301, 2)), rtol=1e-6)
    assert len(np.unique(data.goals, axis=0)) == 3
    trained_on = load_trajectories("u.hdf5", env_id="maze2d-umaze-v1", cache_folder=Path())
    np.testing.assert_array_equal(trained_on.observations[:300], data.observations[:300])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["env=pixelmaze-large", "data=frames.hdf5"], "shows frames"),
        (["env=maze2d-umaze"], "give data=..."),
        (["env=maze2d-umaze", "data=x.csv"], "are not written; choose minari:"),
        (["env=maze2d-umaze", "data=x.hdf5", "goal=detour"], "goal must be one of fixed, random"),
        (["env=Pendulum-v1", "data=x.hdf5", "goal=random"], "is not for"),
        (["env=MountainCarContinuous-v0", "data=folder"], "give fps"),
        (["env=maze2d-umaze", "data=minari:no name at all"], "is no name of a data set"),
        (["env=pixel-tmaze", "data=frames.hdf5"], "shows frames"),
    ],
)
def test_what_cannot_be_recorded_is_refused_in_one_line(words, said, capsys):
    assert main(["record", *words]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not Path("x.hdf5").exists()
