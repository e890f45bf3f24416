"""Baselines through the command line, with real files at a tiny size."""

import json
import shutil
from pathlib import Path

import pytest

from dfplan.cli.main import main

ENV = "env=maze2d-umaze"
RUN = "runs/train/diffuser-maze2d-umaze"  # where configs/bench.yaml looks
TINY = (
    "recipe=diffuser-umaze",
    "model.width=8",
    "model.num_layers=2",
    "model.horizon=16",
    "model.num_levels=4",
    "training.batch_size=4",
    "training.compiled=false",
    "training.checkpoint_every=1",
    "threads=1",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("baselines")


@pytest.fixture(autouse=True)
def in_the_folder(folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DFPLAN_CACHE", str(folder / "cache"))


@pytest.fixture(scope="module")
def trained(folder):
    data, run = folder / "umaze.hdf5", folder / RUN
    assert main(["generate", ENV, "num_steps=6000", f"output={data}"]) == 0
    assert main(["train", *TINY, f"data={data}", f"output={run}", "training.num_steps=2"]) == 0
    return run


def test_a_diffuser_is_trained_by_a_recipe_and_resumed(trained, capsys):
    record = json.loads((trained / "config.json").read_text())["config"]
    assert (record["env"]["name"], record["model"]["name"], record["model"]["horizon"]) == (
        "maze2d-umaze",
        "diffuser",
        16,
    )
    assert not {"diffusion", "windows"} & set(record)  # what it has no use for
    assert record["resynthesis"]["num_steps"] == 0
    assert main(["train", f"resume={trained}", "training.num_steps=3", "threads=1"]) == 0
    assert Path(capsys.readouterr().out.rstrip().splitlines()[-1]) == trained / "model"
    assert main(["verify", str(trained)]) == 0
    assert "the weights of a Diffuser for maze2d-umaze" in capsys.readouterr().out


def test_the_model_of_an_earlier_checkpoint_can_be_had_again(trained, folder):
    earlier = folder / "after one step"
    shutil.copytree(trained / "checkpoints" / "step-00000001", earlier / "checkpoints" / "step-00000001")
    shutil.copy(trained / "config.json", earlier)
    assert main(["train", f"resume={earlier}", "training.num_steps=1", "threads=1"]) == 0
    description = json.loads((earlier / "model" / "model.json").read_text())
    assert description["metadata"]["model"]["name"] == "diffuser"
    assert (earlier / "model" / "model.safetensors").read_bytes() != (
        trained / "model" / "model.safetensors"
    ).read_bytes()


@pytest.mark.parametrize("controller", ["tracker", "actions", "shooting"])
def test_a_diffuser_is_evaluated(trained, controller, capsys):
    words = ["eval", ENV, f"weights={trained}", f"controller={controller}", "controller.replan_every=0", "n_episodes=2"]
    assert main([*words, "goal=random", "threads=1"]) == 0
    record = json.loads(Path(capsys.readouterr().out.rstrip().splitlines()[-1]).read_text())
    assert (record["planner"], record["controller"]) == ("diffuser", controller)
    assert record["weights"]["training_seed"] == 0
    assert record["plan_network"] == {"evaluations": 4, "token_evaluations": 64}


def test_a_diffuser_is_evaluated_in_few_steps(trained, capsys):
    words = ["eval", ENV, f"weights={trained}", "controller=tracker", "n_episodes=1", "threads=1"]
    assert main([*words, "ddim_steps=2"]) == 0
    record = json.loads(Path(capsys.readouterr().out.rstrip().splitlines()[-1]).read_text())
    assert record["plan_network"] == {"evaluations": 2, "token_evaluations": 32}
    assert record["weights"]["data"] == "collected"


def test_a_diffuser_is_trained_on_ways_driven_anew(trained, folder, capsys):
    words = [
        "recipe=diffuser-umaze-resynthesised",
        *TINY[1:],
        f"data={folder / 'umaze.hdf5'}",
        "resynthesis.num_steps=6000",
    ]
    assert main(["train", *words, "output=resynthesised", "training.num_steps=1"]) == 0
    assert main(["eval", ENV, "weights=resynthesised", "controller=shooting", "n_episodes=1", "threads=1"]) == 0
    record = json.loads(Path(capsys.readouterr().out.rstrip().splitlines()[-1]).read_text())
    assert (record["planner"], record["controller"]) == ("diffuser", "shooting")
    assert record["weights"]["data"] == "resynthesised"


def test_a_diffuser_that_replans_is_spoken_of(trained, capsys):
    assert main(["eval", ENV, f"weights={trained}", "controller.replan_every=100", "n_episodes=1", "threads=1"]) == 0
    assert "plans once an episode" in capsys.readouterr().err


@pytest.mark.parametrize("agent", ["oracle", "waypoints"])
def test_drivers_that_are_told_the_maze_are_evaluated(agent, capsys):
    assert main(["eval", ENV, f"agent={agent}", "n_episodes=2", "threads=1"]) == 0
    record = json.loads(Path(capsys.readouterr().out.rstrip().splitlines()[-1]).read_text())
    assert (record["planner"], record["controller"], record["weights"]) == (agent, agent, {})
    assert record["metrics"]["success_rate"]["mean"] == 1
    assert record["plan_seconds"]["plans"] == 0


def test_the_grid_is_evaluated_and_names_the_weights_whose_map_it_took(capsys):
    assert main(["eval", ENV, "agent=grid", "goal=random", "n_episodes=2", "threads=1"]) == 0
    record = json.loads(Path(capsys.readouterr().out.rstrip().splitlines()[-1]).read_text())
    assert (record["planner"], record["controller"], record["config"]["grid_margin"]) == ("grid", "shooting", 0.3)
    assert record["metrics"]["success_rate"]["mean"] == 1
    assert record["metrics"]["planned_wall_share"]["mean"] == 0
    assert record["plan_seconds"]["plans"] > 0
    assert record["plan_network"]["evaluations"] is None
    assert len(record["weights"]["sha256"]) == 64


def test_all_of_them_stand_side_by_side(trained, capsys):
    names = ["diffuser", "grid", "oracle", "waypoints"]
    sizes = ["n_episodes=1", "n_envs=1", "n_plans=1", "threads=1"]
    assert main(["bench", ENV, f"agents={','.join(names)}", *sizes]) == 0
    record = json.loads(Path(capsys.readouterr().out.rstrip().splitlines()[-1]).read_text())
    assert [each["planner"] for each in record["agents"]] == names
    assert [each["controller"] for each in record["agents"]] == ["tracker", "shooting", "oracle", "waypoints"]
    assert record["agents"][0]["num_parameters"] > 1000
    assert [each["num_parameters"] for each in record["agents"][1:]] == [0, 0, 0]
    assert record["agents"][2]["weights"] == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "sampled"), [("next-token", "planner.num_levels=1"), ("full-sequence", "planner.pyramid_offset=0")]
)
def test_other_ways_to_train_our_model_are_recipes(trained, recipe, sampled, folder):
    small = [
        "model.width=16",
        "model.num_layers=1",
        "training.num_steps=1",
        "env.window_tokens=3",
        "resynthesis.num_steps=2000",
    ]
    words = [ENV, f"recipe={recipe}", f"data={folder / 'umaze.hdf5'}", *small, "training.compiled=false", "threads=1"]
    assert main(["train", *words, f"output={recipe}"]) == 0
    levels = json.loads((folder / recipe / "config.json").read_text())["config"]["diffusion"]["levels"]
    assert levels == {"next-token": "next", "full-sequence": "shared"}[recipe]
    assert main(["eval", ENV, f"weights={recipe}", sampled, "planner.horizon=48", "n_episodes=1", "threads=1"]) == 0


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["eval", "agent=driver"], "agent must be one of trained, grid, waypoints, oracle"),
        (["eval", "agent=grid", "controller=actions"], "agent=grid plans a path and no actions"),
        (["eval", "agent=grid", f"weights={RUN}"], "is a Diffuser, which has no map"),
        (["eval", "ddim_steps=8"], "ddim_steps=8 is for weights of a Diffuser"),
        (["eval", "agent=oracle", "ddim_steps=8"], "ddim_steps=8 is for weights of a Diffuser, not for agent=oracle"),
        (["eval", f"weights={RUN}", "ddim_steps=5"], "ddim_steps must be from 1 to the 4 levels"),
        (["plan", f"weights={RUN}"], "is a Diffuser, for `dfplan eval`"),
        (["export", f"weights={RUN}"], "is a Diffuser, for `dfplan eval`"),
        (["train", f"resume={RUN}", "diffusion.schedule=cosine"], "leave out diffusion.schedule"),
        (["train", *TINY, "data=umaze.hdf5", "model.horizon=15"], "model.horizon must be a multiple of 2"),
        (["train", *TINY, "data=umaze.hdf5", "model.horizon=null"], "needs model.horizon"),
        (["train", *TINY, "data=umaze.hdf5", "model.horizon=5000"], "no segment of"),
    ],
)
def test_what_cannot_be_is_one_line(trained, words, expected, capsys):
    command, *options = words
    assert main([command, *([] if command == "train" else [ENV]), *options]) == 2
    assert expected in " ".join(capsys.readouterr().err.split())
