"""Scripts, configurations and exports from before things had the names that they have now find what they knew."""

import json

import h5py
import numpy as np
import pytest
import torch
from tiny_model import SCORER, tiny_model

import dfplan
from dfplan import agent, types
from dfplan.cli.build import describe_weights
from dfplan.cli.compose import compose_options, reading
from dfplan.cli.folders import bundled_weights
from dfplan.cli.main import main
from dfplan.domains.former import OPTIONS
from dfplan.errors import UserError
from dfplan.measured import with_present_names
from dfplan.planner.objectives.predicted_plan import PredictedPlan
from dfplan.realtime import motion
from dfplan.training.settings import check_same_config


def test_classes_and_functions_are_found_by_their_former_names():
    assert types.PointMass is types.DoubleIntegrator
    assert types.PositionSupport is types.Support
    assert motion.point_mass_motion is motion.integrator_motion


def test_a_model_tells_its_dynamics_by_their_former_name():
    assert tiny_model().point_mass == SCORER.dynamics


def test_options_are_found_by_their_former_names_and_in_a_line_by_those_of_now(capsys):
    with reading(None):
        former = [f"planner.{name}=0.25" for name in OPTIONS]
        now = [f"planner.{name}=0.25" for name in OPTIONS.values()]
        assert compose_options("eval", former) == compose_options("eval", now)
    told = capsys.readouterr().err.splitlines()
    assert told == [f"planner.{name} is called planner.{new} now" for name, new in OPTIONS.items()]


def test_the_window_of_an_environment_is_found_by_its_former_name(capsys):
    with reading(None):
        former = compose_options("train", ["env=maze2d-umaze", "env.num_tokens=7"])
        assert former == compose_options("train", ["env=maze2d-umaze", "env.window_tokens=7"])
    assert capsys.readouterr().err.splitlines() == ["env.num_tokens is called env.window_tokens now"]


def test_groups_and_what_is_in_them_are_found_by_their_former_names(capsys):
    with reading(None):
        tree = [compose_options("eval", [f"planner.tree.{name}=0.3"]) for name in ("apart", "minimum_distance")]
        assert tree[0] == tree[1]
        assert "planner.tree.apart is called planner.tree.minimum_distance now" in capsys.readouterr().err
        former = compose_options("train", ["retrace=none", "retrace.tube=0.3"])
        assert former == compose_options("train", ["resynthesis=none", "resynthesis.tube=0.3"])
    told = capsys.readouterr().err.splitlines()
    assert told == ["retrace is called resynthesis now", "retrace.tube is called resynthesis.tube now"]
    assert main(["train", "retrace=null"]) == 2
    assert "resynthesis must be chosen" in capsys.readouterr().err


def test_the_shooting_tracker_is_found_by_its_former_name(capsys):
    assert dfplan.Pursuit is dfplan.ShootingTracker is agent.Pursuit is agent.ShootingTracker
    with reading(None):
        for name in ("controller", "controller.name"):
            assert compose_options("eval", [f"{name}=pursuit"]) == compose_options("eval", [f"{name}=shooting"])
            assert capsys.readouterr().err == f"{name}=pursuit is called {name}=shooting now\n"


def test_what_weights_were_trained_on_is_known_of_bundles_with_the_former_names():
    folder = bundled_weights() / "maze2d-umaze"
    metadata = json.loads((folder / "model.json").read_text())["metadata"]
    assert metadata["provenance"]["config"]["retrace"]["num_steps"] > 0
    assert describe_weights(folder, metadata)["data"] == "resynthesised"


def test_settings_of_an_export_are_read_by_their_former_names():
    assert with_present_names({"level_power": 2.0, "slope": 1.0}) == {"rho": 2.0, "pyramid_offset": 1.0}


def test_a_run_goes_on_whose_record_has_the_former_names():
    was = {"config": {"task": {"slope": 1.0}, "retrace": {"num_steps": 3}, "env": {"num_tokens": 4}}}
    now = {"config": {"task": {"pyramid_offset": 1.0}, "resynthesis": {"num_steps": 3}, "env": {"window_tokens": 4}}}
    check_same_config(was, now)


def test_a_configuration_of_ones_own_is_told_the_present_name(tmp_path, capsys):
    (tmp_path / "planner").mkdir()
    (tmp_path / "planner" / "mine.yaml").write_text("quorum: 1.0\n")
    assert main(["eval", "env=maze2d-umaze", "planner=mine", f"--config-dir={tmp_path}"]) == 2
    assert "planner.quorum is called planner.early_stop_fraction now" in capsys.readouterr().err


def test_an_objective_may_still_ask_for_places():
    observations = torch.rand(3, 5, 4)
    plan = PredictedPlan(
        torch.zeros(3, 2), torch.zeros(3, 2), observations, torch.zeros(3, 1), torch.zeros(1, 1), 0.5, 0.1
    )
    torch.testing.assert_close(plan.positions, observations[..., :2])


@pytest.mark.parametrize("owner", [types, motion, tiny_model()], ids=["types", "motion", "model"])
def test_a_name_that_never_was_is_refused_as_ever(owner):
    with pytest.raises(AttributeError, match="nonsense"):
        _ = owner.nonsense


def test_readers_of_the_mazes_data_are_found_where_they_stood(tmp_path, monkeypatch):
    from types import SimpleNamespace

    from dfplan.data import minari_data
    from dfplan.data.d4rl_file import read_d4rl
    from dfplan.data.generate import generate_maze2d
    from dfplan.data.sources import load_trajectories

    path = tmp_path / "umaze.hdf5"
    with h5py.File(path, "w") as file:
        for name, values in generate_maze2d("maze2d-umaze-v1", num_steps=300, seed=0).items():
            file.create_dataset(name, data=values)
    data = load_trajectories(str(path), env_id="maze2d-umaze-v1", cache_folder=tmp_path, say=print)
    assert np.array_equal(read_d4rl(path).observations, data.observations)
    places = np.linspace(0, 0.1, 41, dtype=np.float32)[:, None].repeat(4, axis=1)
    episodes = [
        SimpleNamespace(id=number, observations=places + number, actions=np.zeros((40, 2), np.float32))
        for number in range(3)
    ]
    stored = SimpleNamespace(
        iterate_episodes=lambda: iter(episodes), total_episodes=3, storage=SimpleNamespace(data_path="/nowhere")
    )
    monkeypatch.setattr(minari_data, "_open", lambda name: stored)
    assert len(minari_data.read_minari("x/y-v0")) == 3 * 41
    episodes[1].observations = places[1:]
    with pytest.raises(UserError, match="episode 1"):
        minari_data.read_minari("x/y-v0")
    assert len(minari_data.read_minari("x/y-v0", leave_out=[1])) == 2 * 41
