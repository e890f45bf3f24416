"""A memory that is built token by token is the full pass over everything seen; noise in it is a mask."""

import dataclasses

import numpy as np
import pytest
import torch
from tiny_model import DENOISERS, tiny_denoiser, tiny_model

from dfplan.errors import UserError
from dfplan.planner import GuidanceSettings, Planner, PlannerSettings, TreePlanner
from dfplan.tokens import TokenLayout

LAYOUT = TokenLayout(4, 1, action_dim=2, observation_dim=4, goal_dim=2)
BATCH, LENGTH = 3, 4


def planner_of(name="transformer", **settings):
    model = dataclasses.replace(tiny_model(), denoiser=tiny_denoiser(name, layout=LAYOUT), layout=LAYOUT)
    return Planner(model, settings=PlannerSettings(**{"num_candidates": 1, "history": None} | settings))


@pytest.fixture
def seen():
    """Observations ``(BATCH, LENGTH + 1, 4)``, their levels, and the actions between them."""
    generator = np.random.default_rng(0)
    observations = generator.uniform(1, 5, size=(BATCH, LENGTH + 1, 4))
    levels = generator.choice([0.0, 0.4, 1.0], size=(BATCH, LENGTH + 1))
    return observations, levels, generator.uniform(-1, 1, size=(BATCH, LENGTH, 4, 2))


def belief_of(planner, observations, levels, actions, *, goals=None):
    belief = planner.believe(observations[:, 0], goals, levels=levels[:, 0])
    for token in range(actions.shape[1]):
        belief = planner.update(
            belief,
            actions=actions[:, token],
            observations=observations[:, None, token + 1],
            levels=levels[:, token + 1],
        )
    return belief


def generators(batch=BATCH):
    return [torch.Generator().manual_seed(index) for index in range(batch)]


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
    belief, expected = belief_of(planner, *seen), full_pass(planner, *seen)
    assert belief.num_tokens == LENGTH
    for found, wanted in zip(planner.state_of(belief).layers, expected.layers, strict=True):
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", DENOISERS)
def test_a_plan_from_memory_is_the_first_token_denoised_after_a_full_pass(name, seen):
    planner = planner_of(name, num_levels=2, rho=1.0)
    plan = planner.plan_from(belief_of(planner, *seen), horizon=4, generators=generators())
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

    def actions_after(observations, levels):
        belief = belief_of(planner, observations, levels, actions)
        return planner.plan_from(belief, horizon=4, generators=generators()).actions

    assert not np.array_equal(actions_after(observations, levels), actions_after(changed, levels))
    levels[:, 0] = 1
    np.testing.assert_array_equal(actions_after(observations, levels), actions_after(changed, levels))


@pytest.mark.parametrize("candidates", [1, 3])
def test_rows_do_not_depend_on_each_other(seen, candidates):
    planner = planner_of(num_candidates=candidates)
    whole = planner.plan_from(belief_of(planner, *seen), horizon=8, generators=generators())
    alone = planner.plan_from(
        belief_of(planner, *(each[1:2] for each in seen)), horizon=8, generators=[torch.Generator().manual_seed(1)]
    )
    np.testing.assert_allclose(whole.actions[1:2], alone.actions, atol=1e-5)


GOALS = np.array([[2.0, 2.0], [4.0, 3.0], [1.5, 4.5]])


@pytest.mark.parametrize("kind", ["candidates", "tree", "guided", "exaggerated goal"])
def test_history_goal_candidates_guidance_and_tree_work_together(seen, kind):
    """The plan changes with any of them, and is the same where nothing changes."""
    observations, levels, actions = seen
    model = planner_of().model
    settings = PlannerSettings(num_candidates=3, history=None, early_stop_fraction=1.0)
    if kind == "guided":
        settings = dataclasses.replace(settings, guidance=GuidanceSettings(distance=5.0))
    if kind == "exaggerated goal":
        settings = dataclasses.replace(settings, cfg_scale=2.0)
    planner = (
        TreePlanner(model, settings=settings, max_nodes=9) if kind == "tree" else Planner(model, settings=settings)
    )

    def plan(observations=observations, goals=GOALS):
        belief = belief_of(planner, observations, 0 * levels, actions, goals=goals)
        return planner.plan_from(belief, horizon=12, generators=generators())

    earlier = observations.copy()
    earlier[:, 0] += 1
    first = plan()
    assert first.actions.shape[2] == 2
    assert (first.num_steps % 4 == 0).all()
    np.testing.assert_array_equal(first.actions, plan().actions)
    for other in (plan(observations=earlier), plan(goals=GOALS[::-1].copy())):
        assert other.actions.shape != first.actions.shape or not np.allclose(other.actions, first.actions)


def test_a_guided_plan_from_history_comes_nearer_to_its_goal(seen):
    def distance(weight):
        guidance = GuidanceSettings(distance=weight)
        planner = planner_of(guidance=guidance, num_candidates=2)
        belief = belief_of(planner, *seen, goals=GOALS)
        plan = planner.plan_from(belief, horizon=12, generators=generators())
        return np.linalg.norm(plan.observations[..., :2] - GOALS[:, None], axis=-1).mean()

    assert distance(50.0) < distance(0.01) - 0.05


@pytest.mark.parametrize("name", DENOISERS)
def test_of_a_limited_history_only_the_last_tokens_matter(name, seen):
    planner, (observations, levels, actions) = planner_of(name, history=2), seen
    belief = belief_of(planner, observations, levels, actions, goals=GOALS)
    assert belief.num_tokens == 2
    fresh = belief_of(planner, observations[:, 2:], levels[:, 2:], actions[:, 2:], goals=GOALS)
    for one, other in zip(planner.state_of(belief).layers, planner.state_of(fresh).layers, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


def test_without_history_an_update_is_the_present_observation(seen):
    planner, (observations, levels, actions) = planner_of(history=0), seen
    updated = belief_of(planner, observations, levels, actions, goals=GOALS)
    alone = planner.believe(observations[:, -1], GOALS, levels=levels[:, -1])
    plans = [planner.plan_from(each, horizon=8, generators=generators()).actions for each in (updated, alone)]
    np.testing.assert_array_equal(*plans)
    calm = planner.believe(observations[:, -1], GOALS)
    np.testing.assert_array_equal(
        planner.plan_from(calm, horizon=8, generators=generators()).actions,
        planner.plan(observations[:, -1], GOALS, horizon=8, generators=generators()).actions,
    )


def test_several_observations_of_a_token_are_remembered():
    model = tiny_model()  # two points a token
    planner = Planner(model, settings=PlannerSettings(num_candidates=2, history=None))
    generator = np.random.default_rng(0)
    begun = planner.believe(generator.uniform(1, 5, size=(BATCH, 4)), GOALS)
    seen = generator.uniform(1, 5, size=(BATCH, 2, 4))
    done = generator.uniform(-1, 1, size=(BATCH, 4, 2))
    states = [
        planner.state_of(planner.update(begun, actions=done, observations=each))
        for each in (seen, seen + np.array([[1.0], [0.0]]))
    ]
    assert not torch.equal(states[0].layers[0], states[1].layers[0])


def test_the_world_model_goes_on_from_a_history(seen):
    """Rolled out from another past, the same actions lead elsewhere."""
    observations, levels, actions = seen
    planner = planner_of(num_candidates=2, roll_out=True)
    earlier = observations.copy()
    earlier[:, 0] += 1
    plans = [
        planner.plan_from(
            belief_of(planner, each, 0 * levels, actions, goals=GOALS), horizon=4, generators=generators()
        )
        for each in (observations, earlier)
    ]
    assert not np.allclose(plans[0].observations, plans[1].observations)


def test_models_that_cannot_remember_are_refused():
    seeing_all = dataclasses.replace(tiny_model(), denoiser=tiny_denoiser(causal=False))
    with pytest.raises(UserError, match="history=None needs a causal network"):
        Planner(seeing_all, settings=PlannerSettings(history=None))


def test_what_does_not_go_together_is_refused(seen):
    belief = belief_of(planner_of(), *seen)
    guided = planner_of(guidance=GuidanceSettings(distance=1.0))
    with pytest.raises(UserError, match="give goals, or no objective"):
        guided.plan_from(belief, horizon=4, generators=generators())
    with pytest.raises(UserError, match="as many generators"):
        planner_of().plan_from(belief, horizon=4, generators=generators(2))
    parts = planner_of(guidance=GuidanceSettings(max_speed=3.0))
    with pytest.raises(UserError, match=r"guidance\.method=chosen"):
        parts.plan_from(belief_of(parts, *seen, goals=GOALS), horizon=4, generators=generators())


def test_wrong_levels_and_shapes_are_refused(seen):
    planner, (observations, _, actions) = planner_of(), seen
    with pytest.raises(UserError, match="between 0 and 1"):
        planner.believe(observations[:, 0], levels=np.full(BATCH, 1.5))
    with pytest.raises(UserError, match="observations must have shape"):
        planner.believe(observations[:, 0, :3], levels=np.zeros(BATCH))
    belief = planner.believe(observations[:, 0], levels=np.zeros(BATCH))
    with pytest.raises(UserError, match="actions of a token must have shape"):
        planner.update(belief, actions=actions[:, 0, :3], observations=observations[:, 1:2], levels=np.zeros(BATCH))
    with pytest.raises(UserError, match="observations of a token must have shape"):
        planner.update(belief, actions=actions[:, 0], observations=observations[:, 1], levels=np.zeros(BATCH))
