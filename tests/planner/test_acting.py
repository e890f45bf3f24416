"""Weights say how they are driven: as `dfplan eval` drives those of their environment, also where nobody types it."""

from dataclasses import fields
from types import SimpleNamespace

import gymnasium
import pytest
from pendulum import write_pendulum

import dfplan
from dfplan.cli.any_environment import usual_options
from dfplan.cli.commands import train
from dfplan.cli.compose import compose_options, reading
from dfplan.errors import UserError
from dfplan.planner import PlannerSettings
from dfplan.planner.acting import Acting, usual_acting, written
from dfplan.settings.planning import PlanningNumbers

TINY = ["model.width=16", "model.num_layers=1", "training.batch_size=4", "threads=1"]


@pytest.mark.parametrize("name", ["Hopper-v5", "AdroitHandDoor-v1", "gym_pusht-PushT-v0", "metaworld-push-v3", "tmaze"])
def test_weights_are_driven_as_the_command_line_drives_them(name):
    with reading(None):
        usual = compose_options("eval", usual_options(name, ()))
        found = usual_acting(SimpleNamespace(metadata={"acting": train._acting(name)}))
    for each in fields(PlanningNumbers):
        assert getattr(found.settings, each.name) == getattr(usual.planner, each.name), each.name
    assert (found.horizon, found.replan_every) == (usual.planner.horizon, usual.controller.replan_every)


def test_where_nothing_is_usual_nothing_is_written():
    assert train._acting("Pendulum-v1") == train._acting("maze2d-large") == {}


def test_an_agent_reads_what_a_training_wrote(tmp_path, monkeypatch):
    said = written(PlannerSettings(num_candidates=3, temperature=2.0), horizon=None, replan_every=5)
    monkeypatch.setattr(train, "_acting", lambda name: said)
    monkeypatch.chdir(tmp_path)
    data = write_pendulum(tmp_path / "hand.hdf5", num_episodes=3)
    model = dfplan.train(data, env="Pendulum-v1", steps=1, output="run", options=TINY)
    assert usual_acting(model) == Acting(PlannerSettings(num_candidates=3, temperature=2.0), None, 5)
    plans, env = [], gymnasium.make("Pendulum-v1")
    agent = dfplan.Agent(model, env)
    agent._agent.on_plan = plans.append
    shown, _ = env.reset(seed=0)
    for _ in range(10):
        shown = env.step(agent.act(shown))[0]
    assert len(plans) == 2
    assert agent.planner.settings.temperature == 2


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (3, "planner: settings of a plan by name"),
        ({"planner": {"path": "/etc"}, "horizon": 8, "replan_every": 1}, "settings of a plan by name"),
        ({"planner": {"matrix": "theirs"}, "horizon": 8, "replan_every": 1}, "settings of a plan by name"),
        ({"planner": {"temperature": "hot"}, "horizon": 8, "replan_every": 1}, "temperature must be a number"),
        ({"planner": {}, "horizon": 0, "replan_every": 1}, "acting.horizon of the weights"),
        ({"planner": {}, "horizon": None, "replan_every": True}, "acting.replan_every of the weights"),
    ],
)
def test_what_cannot_be_is_refused(told, said):
    with pytest.raises(UserError, match=said):
        usual_acting(SimpleNamespace(metadata={"acting": told}))
