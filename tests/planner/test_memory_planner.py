"""A memory that is built token by token is the full pass over everything seen; noise in it is a mask."""

import dataclasses

import numpy as np
import pytest
import torch
from tiny_model import DENOISERS, tiny_denoiser, tiny_model

from dfplan.errors import UserError
from dfplan.models.denoiser import DenoiserState
from dfplan.planner import PlannerSettings
from dfplan.planner.memory import MemoryPlanner
from dfplan.tokens import TokenLayout

LAYOUT = TokenLayout(steps_per_token=4, points_per_token=1)
BATCH, LENGTH = 3, 4


def planner_of(name="transformer", **settings):
    model = dataclasses.replace(tiny_model(), denoiser=tiny_denoiser(name, layout=LAYOUT), layout=LAYOUT)
    return MemoryPlanner(model, settings=PlannerSettings(**settings))


@pytest.fixture
def seen():
    """Observations ``(BATCH, LENGTH + 1, 4)``, their levels, and the actions between them."""
    generator = np.random.default_rng(0)
    observations = generator.uniform(1, 5, size=(BATCH, LENGTH + 1, 4))
    levels = generator.choice([0.0, 0.4, 1.0], size=(BATCH, LENGTH + 1))
    return observations, levels, generator.uniform(-1, 1, size=(BATCH, LENGTH, 4, 2))


def memory_of(planner, observations, levels, actions):
    memory = planner.begin(observations[:, 0], levels=levels[:, 0])
    for token in range(actions.shape[1]):
        memory = planner.remember(
            memory, actions=actions[:, token], observations=observations[:, token + 1], levels=levels[:, token + 1]
        )
    return memory


def full_pass(planner, observations, levels, actions):
    """The same in one pass, packed here anew: goal at full noise, context, tokens."""
    model, normalizer = planner.model, planner.model.normalizer
    tokens = torch.zeros(BATCH, 2 + LENGTH, LAYOUT.token_dim)
    token_levels = torch.zeros(BATCH, 2 + LENGTH, 2)
    token_levels[:, 0] = 1
    shown = normalizer.observations(torch.as_tensor(observations, dtype=torch.float32))
    token_levels[:, 1:, 1] = torch.as_tensor(levels)
    token_levels[:, 1, 0] = torch.as_tensor(levels[:, 0])  # a context token has no actions; one level for all of it
    tokens[:, 1:, -4:] = shown
    done = normalizer.actions(torch.as_tensor(actions, dtype=torch.float32))
    tokens[:, 2:, : LAYOUT.num_action_slots] = done.flatten(2)
    tokens[:, 2:, LAYOUT.reward_slot] = -1.0  # no reward yet, normalised
    alpha, _ = model.parameterization.schedule(LAYOUT.per_slot(token_levels))
    return model.denoiser(alpha * tokens, token_levels)[1]


@pytest.mark.parametrize("name", DENOISERS)
def test_remembering_token_by_token_equals_the_full_pass(name, seen):
    planner = planner_of(name)
    memory, expected = memory_of(planner, *seen), full_pass(planner, *seen)
    assert memory.num_tokens == 2 + LENGTH
    for found, wanted in zip(memory.layers, expected.layers, strict=True):
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", DENOISERS)
def test_a_plan_from_memory_is_the_first_token_denoised_after_a_full_pass(name, seen):
    planner = planner_of(name, num_levels=2, level_power=1.0)
    generators = [torch.Generator().manual_seed(index) for index in range(BATCH)]
    plan = planner.plan(memory_of(planner, *seen), num_tokens=1, generators=generators)
    noise = [
        torch.randn(LENGTH + 1, LAYOUT.token_dim, generator=torch.Generator().manual_seed(k)) for k in range(BATCH)
    ]
    token, state, model = torch.stack(noise)[:, -1:], full_pass(planner, *seen), planner.model
    schedule = model.parameterization.schedule
    for now, after in ((1.0, 0.5), (0.5, 0.0)):
        level, next_level = torch.full_like(token, now), torch.full_like(token, after)
        prediction, _ = model.denoiser(token, torch.full((1, 1, 2), now), state)
        clean = model.parameterization.to_clean(prediction, token, level=level)
        (alpha, sigma), (next_alpha, next_sigma) = schedule(level), schedule(next_level)
        token = next_alpha * clean + next_sigma * (token - alpha * clean) / sigma  # DDIM
    actions = model.normalizer.actions_back(LAYOUT.unpack(token)[0]).clamp(-1, 1)
    np.testing.assert_allclose(plan.actions, actions.numpy(), atol=1e-4)
    assert plan.observations.shape == (BATCH, 1, 4)


def test_the_past_matters_unless_it_is_marked_as_noise(seen):
    planner, (observations, levels, actions) = planner_of(), seen
    levels = np.zeros_like(levels)
    changed = observations.copy()
    changed[:, 0] += 1  # the first thing seen, five tokens ago
    same = [torch.Generator().manual_seed(0) for _ in range(BATCH)]

    def actions_after(observations, levels):
        for generator in same:
            generator.manual_seed(0)
        return planner.plan(memory_of(planner, observations, levels, actions), num_tokens=1, generators=same).actions

    assert not np.array_equal(actions_after(observations, levels), actions_after(changed, levels))
    levels[:, 0] = 1
    np.testing.assert_array_equal(actions_after(observations, levels), actions_after(changed, levels))


def test_rows_do_not_depend_on_each_other(seen):
    planner = planner_of()
    whole = planner.plan(
        memory_of(planner, *seen), num_tokens=2, generators=[torch.Generator().manual_seed(k) for k in range(BATCH)]
    )
    alone = planner.plan(
        memory_of(planner, *(each[1:2] for each in seen)),
        num_tokens=2,
        generators=[torch.Generator().manual_seed(1)],
    )
    np.testing.assert_allclose(whole.actions[1:2], alone.actions, atol=1e-5)


def test_models_that_cannot_remember_are_refused():
    two_points = tiny_model()
    with pytest.raises(UserError, match="points_per_token=1"):
        MemoryPlanner(two_points, settings=PlannerSettings())
    seeing_all = dataclasses.replace(two_points, denoiser=tiny_denoiser(layout=LAYOUT, causal=False), layout=LAYOUT)
    with pytest.raises(UserError, match="causal=False"):
        MemoryPlanner(seeing_all, settings=PlannerSettings())


def test_wrong_levels_and_shapes_are_refused(seen):
    planner, (observations, _, actions) = planner_of(), seen
    with pytest.raises(UserError, match="between 0 and 1"):
        planner.begin(observations[:, 0], levels=np.full(BATCH, 1.5))
    with pytest.raises(UserError, match="observations must have shape"):
        planner.begin(observations[:, 0, :3], levels=np.zeros(BATCH))
    memory = planner.begin(observations[:, 0], levels=np.zeros(BATCH))
    assert isinstance(memory, DenoiserState)
    with pytest.raises(UserError, match="actions must have shape"):
        planner.remember(memory, actions=actions[:, 0, :3], observations=observations[:, 1], levels=np.zeros(BATCH))
