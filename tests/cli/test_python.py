"""`dfplan.train` in Python is `dfplan train`: the same weights to the last bit, the same run folder and refusals."""

from dataclasses import replace
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch
from pendulum import write_pendulum

import dfplan
from dfplan.cli.main import main
from dfplan.data.formats import write
from dfplan.errors import UserError
from dfplan.models.forcing_model import ForcingModel

NARROW = ["model.width=16", "model.num_layers=1", "training.batch_size=4", "training.compiled=false", "threads=1"]
TINY = ["env.window_tokens=3", *NARROW]


@pytest.fixture(scope="module")
def pendulum(tmp_path_factory):
    return write_pendulum(tmp_path_factory.mktemp("data") / "hand.hdf5", num_episodes=3)


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_data_in_memory_and_the_command_give_the_same_weights(pendulum):
    model = dfplan.train(dfplan.read(pendulum), env="Pendulum-v1", steps=2, seed=3, output="mine", options=TINY)
    words = ["env=Pendulum-v1", f"data={pendulum}", "training.num_steps=2", "seed=3", "output=theirs", *TINY]
    assert main(["train", *words]) == 0
    assert isinstance(model, ForcingModel)
    expected = dfplan.load("theirs").denoiser.state_dict()
    for name, value in model.denoiser.state_dict().items():
        assert torch.equal(value, expected[name]), name
    assert Path("mine/config.json").read_text() == Path("theirs/config.json").read_text()
    action = dfplan.Agent(model, gymnasium.make("Pendulum-v1")).act(np.array([1.0, 0.0, 0.0], np.float32))
    assert action.shape == (1,)
    assert main(["train", "resume=mine", "training.num_steps=3"]) == 0


def test_a_run_on_data_in_memory_goes_on_with_what_they_were_written_to(pendulum, capsys):
    data = replace(dfplan.read(pendulum), source="by hand", checksum="")
    data = replace(data, rewards=data.rewards / 2)
    dfplan.train(data, env="Pendulum-v1", steps=1, output="run", options=TINY)
    more = ["train", "resume=run", "training.num_steps=2"]
    assert main(more) == 2
    assert "no data set at by hand" in capsys.readouterr().err
    assert main([*more, f"data={pendulum}"]) == 2
    assert "is not what the run in run was begun with" in capsys.readouterr().err
    write(data, "half.hdf5")
    assert main([*more, "data=half.hdf5"]) == 0


def test_a_path_will_do_and_the_run_has_a_folder_of_its_own(pendulum):
    model = dfplan.train(pendulum, env="Pendulum-v1", steps=1, options=TINY)
    (run,) = Path("runs/train/Pendulum-v1").iterdir()
    assert dfplan.load(run).metadata == model.metadata


def test_ways_in_a_maze_are_checked_as_those_of_a_file():
    assert main(["record", "env=maze2d-umaze", "agent=waypoints", "goal=random", "n_episodes=4", "data=u.hdf5"]) == 0
    ways, few = dfplan.read("u.hdf5"), ["resynthesis=none", "windows=collected", *TINY]
    assert dfplan.train(ways, env="maze2d-umaze", steps=1, options=few).layout.goal_dim == 2
    with pytest.raises(UserError, match="wrong sign"):
        dfplan.train(replace(ways, actions=-ways.actions), env="maze2d-umaze", steps=1, options=few)


def test_what_the_command_refuses_is_refused(pendulum):
    data = dfplan.read(pendulum)
    with pytest.raises(UserError, match="has observations of 3 and actions of 1"):
        dfplan.train(data, env="MountainCarContinuous-v0", steps=1)
    with pytest.raises(UserError, match=r"training\.num_steps must be at least 1; got 0"):
        dfplan.train(data, env="Pendulum-v1", steps=0)
    with pytest.raises(UserError, match="unknown env 'Pendulums-v1'"):
        dfplan.train(data, env="Pendulums-v1", steps=1)
    with pytest.raises(UserError, match=r"did you mean 'model\.width'"):
        dfplan.train(data, env="Pendulum-v1", options=["model.widht=8"])
    with pytest.raises(UserError, match="model must be chosen; got 'model=3'"):
        dfplan.train(data, env="Pendulum-v1", options=["model=3"])
    for asked in ({"env": 3}, {"env": "Pendulum-v1", "options": "seed=1"}, {"env": "Pendulum-v1", "options": [3]}):
        with pytest.raises(UserError, match="env is a text, and options a list of texts"):
            dfplan.train(data, **asked)
    with pytest.raises(UserError, match=r"data are dfplan\.Trajectories or what data= names; got ndarray"):
        dfplan.train(data.observations, env="Pendulum-v1")
    with pytest.raises(UserError, match="rewards has 3 rows"):
        dfplan.train(replace(data, rewards=data.rewards[:3]), env="Pendulum-v1")
    for words in (["data=x.hdf5"], ["--help"], ["-m", "seed=0,1"]):
        with pytest.raises(UserError, match="options are key=value, but for env, data, output, resume"):
            dfplan.train(data, env="Pendulum-v1", options=words)
    Path("full").mkdir()
    Path("full/something").touch()
    with pytest.raises(UserError, match="is not an empty folder"):
        dfplan.train(data, env="Pendulum-v1", output="full")
    assert not list(Path().glob("**/.taken"))


def test_trajectories_that_were_changed_in_memory_are_those_that_are_learned_from(pendulum):
    data = dfplan.read(pendulum)
    half = replace(data, rewards=data.rewards / 2)
    write(half, "half.hdf5")
    models = [
        dfplan.train(each, env="Pendulum-v1", steps=1, options=TINY, output=f"run-{index}")
        for index, each in enumerate((half, dfplan.read("half.hdf5"), data))
    ]
    means = [model.normalizer.reward_mean for model in models]
    assert means[0] == means[1] != means[2]
