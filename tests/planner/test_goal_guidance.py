"""Classifier-free guidance is one doubled batch that equals two single ones."""

import numpy as np
import pytest
import torch
from tiny_model import DENOISERS, LAYOUT, tiny_denoiser, tiny_model

from dfplan.planner import Planner, PlannerSettings
from dfplan.planner.goal_guidance import GoalGuided, hide_goal
from dfplan.tokens import GOAL_TOKEN, NUM_PREFIX_TOKENS

BATCH, TOKENS = 3, 4
GOALS = np.array([[4.0, 4.0], [5.0, 1.0], [2.0, 4.5]])
STATES = np.array([[1.0, 1.0, 0.0, 0.0], [1.0, 2.0, 0.5, 0.0], [2.0, 1.0, 0.0, -0.5]])


def _inputs():
    generator = torch.Generator().manual_seed(0)
    prefix = torch.randn(BATCH, NUM_PREFIX_TOKENS, LAYOUT.token_dim, generator=generator)
    noisy = torch.randn(BATCH, TOKENS, LAYOUT.token_dim, generator=generator)
    return prefix, torch.zeros(BATCH, NUM_PREFIX_TOKENS, 2), noisy, torch.rand(1, TOKENS, 2, generator=generator)


@pytest.mark.parametrize("name", DENOISERS)
@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0, 3.0])
def test_the_doubled_batch_is_two_single_ones(name, weight):
    inner = tiny_denoiser(name)
    prefix, prefix_levels, noisy, levels = _inputs()
    guided = GoalGuided(inner, weight=weight)
    state = guided(prefix, prefix_levels)[1]
    found, grown = guided(noisy, levels, state)
    seeing = inner(noisy, levels.expand(BATCH, -1, -1), inner(prefix, prefix_levels)[1])[0]
    blind = inner(noisy, levels.expand(BATCH, -1, -1), inner(*hide_goal(prefix, prefix_levels))[1])[0]
    assert (seeing - blind).abs().max() > 1e-3
    torch.testing.assert_close(found, blind + weight * (seeing - blind), rtol=0, atol=1e-5)
    assert grown.num_tokens == NUM_PREFIX_TOKENS + TOKENS
    assert guided.passes == 2


def test_the_state_can_be_cut_and_branched_as_any_other():
    prefix, prefix_levels, noisy, levels = _inputs()
    guided = GoalGuided(tiny_denoiser(), weight=2.0)
    state = guided(noisy, levels, guided(prefix, prefix_levels)[1])[1]
    rows = torch.tensor([2, 0, 0])
    whole = guided(noisy[:, 2:], levels[:, 2:], state.truncate(NUM_PREFIX_TOKENS + 2))[0]
    branches = guided(noisy[rows, 2:], levels[:, 2:], state.truncate(NUM_PREFIX_TOKENS + 2).select(rows))[0]
    torch.testing.assert_close(branches, whole[rows], rtol=0, atol=1e-5)


def test_a_hidden_goal_is_a_token_of_pure_noise_level():
    prefix, levels, _, _ = _inputs()
    hidden, hidden_levels = hide_goal(prefix, levels)
    assert (hidden[:, GOAL_TOKEN] == 0).all()
    assert (hidden_levels[:, GOAL_TOKEN] == 1).all()
    assert torch.equal(hidden[:, 1:], prefix[:, 1:])
    assert torch.equal(hidden_levels[:, 1:], levels[:, 1:])
    assert not torch.equal(hidden, prefix)


def _plan(**settings):
    planner = Planner(tiny_model(), settings=PlannerSettings(num_candidates=2, **settings))
    generators = [torch.Generator().manual_seed(index) for index in range(BATCH)]
    return planner, planner.plan(STATES, GOALS, horizon=20, generators=generators)


def test_a_goal_that_is_not_shown_changes_nothing_but_the_choice():
    planner, _ = _plan(cfg_scale=0.0)
    generators = [[torch.Generator().manual_seed(0)] for _ in range(2)]
    here, there = (
        planner._denoise(planner.believe(STATES[:1], goal[None]), 5, generators=each).tokens
        for goal, each in zip(GOALS[:2], generators, strict=True)
    )
    assert torch.equal(here, there)


def test_weight_one_is_the_network_itself_and_costs_nothing_more():
    planner, shown = _plan(cfg_scale=1.0)
    assert planner.denoiser is planner.model.denoiser
    _, near = _plan(cfg_scale=1.0 + 1e-6)
    np.testing.assert_allclose(near.observations, shown.observations, atol=1e-3)
    assert near.evaluations.tolist() == (2 * shown.evaluations).tolist()
    assert near.token_evaluations.tolist() == (2 * shown.token_evaluations).tolist()
