"""Plans can be asked for what they are to earn, where weights were told what windows earn."""

import numpy as np
import pytest
import torch
from tiny_model import tiny_model
from trained_on import trained_on

from dfplan.errors import UserError
from dfplan.planner import GuidanceSettings, Planner, PlannerSettings
from dfplan.settings.diffusion import DiffusionSettings
from dfplan.tokens import TokenLayout
from dfplan.types import Trajectories

LAYOUT = TokenLayout(2, 1, action_dim=1, observation_dim=2, goal_dim=0)


def episodes(num=40, num_steps=8):
    """Half of them push to the right all the time and earn 1 a step, half to the left and earn nothing."""
    generator, rows = np.random.default_rng(0), num * (num_steps + 1)
    side = np.tile([1.0, -1.0], num // 2)[:, None].repeat(num_steps + 1, axis=1).reshape(rows)
    return Trajectories(
        observations=generator.normal(size=(rows, 2)).astype(np.float32),
        actions=side[:, None].astype(np.float32),
        starts=np.arange(num + 1) * (num_steps + 1),
        segment_ends=np.zeros(rows, bool),
        source="two sides",
        rewards=(side > 0).astype(np.float32),
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    diffusion = DiffusionSettings(returns_shown=True, goal_dropped=0.1, action_weight=1.0, after_goal_weight=1.0)
    run, asked = tmp_path_factory.mktemp("returns") / "run", {"num_tokens": 4, "num_steps": 150}
    return trained_on(episodes(), LAYOUT, diffusion=diffusion, segment_goal_share=0.5, run=run, **asked)


def sides(model, **settings):
    planner = Planner(model, settings=PlannerSettings(num_candidates=1, **settings))
    generators = [torch.Generator().manual_seed(seed) for seed in range(20)]
    plan = planner.plan(np.zeros((20, 2)), horizon=8, generators=generators)
    return np.sign(plan.actions.mean(axis=(1, 2)))


def test_guidance_towards_what_is_earned_needs_no_goal(model):
    unguided, guided = (sides(model, guidance=GuidanceSettings(reward=weight)).mean() for weight in (0, 100))
    assert guided > unguided + 0.3


def test_a_plan_earns_what_is_asked_for(model):
    assert sides(model, wanted_reward=1.0).mean() > 0.8
    assert sides(model, wanted_reward=0.0).mean() < -0.8
    assert abs(sides(model).mean()) < 0.7  # not said: either


def test_weights_that_were_never_told_refuse(model):
    with pytest.raises(UserError, match=r"diffusion\.returns_shown=true"):
        Planner(tiny_model(), settings=PlannerSettings(wanted_reward=1.0))
