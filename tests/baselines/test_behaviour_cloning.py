"""Behaviour cloning learns what the data do, acts within bounds, travels in a bundle, is evaluated as planners are."""

import json

import numpy as np
import pytest
from pendulum import swing_up, write_pendulum

from dfplan.baselines.behaviour_cloning import is_behaviour_cloning, load_behaviour_cloning
from dfplan.cli.main import main
from dfplan.errors import UserError
from dfplan.models.bundle import load_bundle, save_bundle


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cloning")
    data = write_pendulum(folder / "pendulum.hdf5", num_episodes=10)
    few = ["training.num_steps=400", "training.warmup_steps=5", "task.width=32", "training.ema_decay=0.9", "threads=1"]
    assert (
        main(["train", "task=behaviour-cloning", "env=Pendulum-v1", f"data={data}", f"output={folder}/run", *few]) == 0
    )
    return folder / "run"


def test_it_does_what_the_data_did(run):
    agent = load_behaviour_cloning(run / "model")
    agent.reset(seeds=[0, 1])
    falling = np.array([[0.95, 0.3, 2.0], [0.95, -0.3, -2.0]], np.float32)
    actions = agent.act(falling)
    assert actions.shape == (2, 1)
    assert np.sign(actions[:, 0]).tolist() == [np.sign(swing_up(each, scale=1.0)[0]) for each in falling]
    assert (np.abs(agent.act(100 * falling)) <= 2).all()


def test_its_error_on_episodes_held_out_is_less_than_that_of_the_mean_action(run):
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["validation/loss"] < 0.8


def test_it_is_evaluated_by_the_same_command(run, tmp_path):
    assert main(["eval", "env=Pendulum-v1", f"weights={run}", "n_episodes=2", f"output={tmp_path}/out"]) == 0
    record = json.loads((tmp_path / "out" / "results.json").read_text())
    assert record["planner"] == "behaviour-cloning"
    assert record["metrics"]["return"]["mean"] < 0


@pytest.mark.parametrize("change", [{"width": 10**9}, {"num_layers": 3}, {"width": "32"}])
def test_a_description_that_is_not_of_its_tensors_is_refused(run, tmp_path, change):
    tensors, metadata = load_bundle(run / "model")
    folder = tmp_path / "model"
    save_bundle(folder, tensors, {**metadata, "model": {**metadata["model"], **change}})
    assert is_behaviour_cloning(folder)
    with pytest.raises(UserError, match="does not describe behaviour cloning"):
        load_behaviour_cloning(folder)
