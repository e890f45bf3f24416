"""The task trains, exports and plays in both T-mazes; it soon learns to remember, and without memory it cannot."""

import json

import from_benchmarks
import numpy as np
import pytest

from dfplan.agent import MPCAgent, PlannedActions
from dfplan.cli.main import main
from dfplan.models.forcing_model import load_forcing_model
from dfplan.models.sight import load_sight
from dfplan.planner import Planner, PlannerSettings

roll_out_choices = from_benchmarks.module("choices", of="memory").roll_out_choices


def train(folder, *words):
    assert main(["train", "training.checkpoint_every=1000", *words, f"output={folder}", "threads=1"]) == 0
    return folder / "model"


def agent_of(weights, *, remembers):
    settings = PlannerSettings(num_candidates=1, history=None if remembers else 0)
    planner = Planner(load_forcing_model(weights), settings=settings)
    return MPCAgent(planner, controller=PlannedActions(), replan_every=8, horizon=8)


def eyes_of(weights):
    described = load_forcing_model(weights).metadata.get("frames")
    return None if described is None else load_sight(weights, described).places


@pytest.mark.slow
@pytest.mark.parametrize("env", ["tmaze", "pixel-tmaze"])
@pytest.mark.parametrize("kind", ["task=memory", "recipe=memoryless"])
def test_it_trains_exports_and_plays(env, kind, tmp_path):
    tiny = ["training.num_steps=2", "task.num_episodes=8", "task.held_out_episodes=2", "model.width=16"]
    weights = train(tmp_path / "run", kind, f"env={env}", *tiny)
    assert json.loads((tmp_path / "run" / "config.json").read_text())["config"]["task"]["from_start"] == (
        kind == "task=memory"
    )
    agent = agent_of(weights, remembers=kind == "task=memory")
    found = roll_out_choices(
        agent, env_id=f"{env}-v0", num_episodes=2, seed=0, disturbed_share=0.25, encode=eyes_of(weights)
    )
    assert len(found.steps) == 2
    assert np.isin(found.choices, (-1, 0, 1)).all()


@pytest.mark.slow
def test_with_memory_it_learns_which_arm_and_without_it_cannot(tmp_path):
    """Of those who come to an arm at all; steering is not what is asked of so short a training."""
    short = ["training.num_steps=250", "task.num_episodes=100"]
    right = {}
    for kind in ("task=memory", "recipe=memoryless"):
        agent = agent_of(train(tmp_path / kind, kind, *short), remembers=kind == "task=memory")
        summary = roll_out_choices(agent, env_id="tmaze-v0", num_episodes=80, seed=0).summary()
        chose = summary["correct"] + summary["wrong_arm"]
        assert chose >= 30
        right[kind] = summary["correct"] / chose
    assert right["task=memory"] > 0.9
    assert 0.25 < right["recipe=memoryless"] < 0.75
