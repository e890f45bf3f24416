"""Plans go on from actions that are carried out until they are there, where training showed such windows."""

import numpy as np
import pytest
import torch
from trained_on import trained_on

from dfplan.planner import Planner, PlannerSettings
from dfplan.settings.diffusion import DiffusionSettings
from dfplan.tokens import TokenLayout
from dfplan.types import Trajectories

STEPS = 4
LAYOUT = TokenLayout(STEPS, 1, action_dim=1, observation_dim=1, goal_dim=0)
CHUNKS = 20


def episodes(num=60):
    """Each pushes to one side throughout: the first action of a token tells the others, and nothing else does."""
    generator, rows = np.random.default_rng(0), num * (STEPS + 1)
    side = np.repeat(generator.choice([-1.0, 1.0], size=num), STEPS + 1)
    return Trajectories(
        observations=generator.normal(size=(rows, 1)).astype(np.float32),
        actions=side[:, None].astype(np.float32),
        starts=np.arange(num + 1) * (STEPS + 1),
        segment_ends=np.zeros(rows, bool),
        source="two sides",
        rewards=np.zeros(rows, np.float32),
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    diffusion = DiffusionSettings(actions_committed=0.5, most_committed=3, action_weight=1.0)
    run = tmp_path_factory.mktemp("known") / "run"
    return trained_on(episodes(), LAYOUT, diffusion=diffusion, num_tokens=1, num_steps=300, run=run)


def plans(model, *, known):
    """Actions ``(plans, steps)`` of plans whose first ``known`` are given, to either side in turn; and the sides."""
    planner = Planner(model, settings=PlannerSettings(num_candidates=1))
    sides = np.tile([1.0, -1.0], CHUNKS // 2)
    generators = [torch.Generator().manual_seed(seed) for seed in range(CHUNKS)]
    committed = [np.full((known, 1), side) for side in sides]
    plan = planner.plan(np.zeros((CHUNKS, 1)), horizon=STEPS, generators=generators, committed=committed)
    return plan.actions[..., 0], sides


@pytest.mark.parametrize("known", [1, 3])
def test_the_rest_of_a_token_follows_from_its_first_actions(model, known):
    actions, sides = plans(model, known=known)
    np.testing.assert_allclose(actions[:, :known], sides[:, None].repeat(known, axis=1), atol=1e-6)
    assert ((sides[:, None] * actions[:, known:]).mean(axis=1) > 0).all()


def test_a_plan_of_which_nothing_is_known_goes_to_either_side(model):
    actions, _ = plans(model, known=0)
    assert 3 < (actions.mean(axis=1) > 0).sum() < CHUNKS - 3


def test_a_plan_does_not_depend_on_what_is_known_to_others(model):
    together, sides = plans(model, known=2)
    planner = Planner(model, settings=PlannerSettings(num_candidates=1))
    alone = planner.plan(
        np.zeros((1, 1)),
        horizon=STEPS,
        generators=[torch.Generator().manual_seed(0)],
        committed=[np.full((2, 1), sides[0])],
    )
    np.testing.assert_allclose(alone.actions[0, :, 0], together[0], atol=1e-5)
