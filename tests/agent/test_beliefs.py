"""The agent plans once a token, plays its plan, and remembers exactly what it saw and did."""

import dataclasses

import numpy as np
import pytest
import torch
from tiny_model import tiny_denoiser, tiny_model

from dfplan.agent import MPCAgent, PlannedActions
from dfplan.errors import UserError
from dfplan.planner import Planner, PlannerSettings
from dfplan.tokens import TokenLayout

LAYOUT = TokenLayout(4, 1, action_dim=2, observation_dim=4, goal_dim=2)
SEEDS = [5, 6, 7]


def agent_of(*, remembers=True, on_plan=None):
    model = dataclasses.replace(tiny_model(), denoiser=tiny_denoiser(layout=LAYOUT), layout=LAYOUT)
    planner = Planner(model, settings=PlannerSettings(num_candidates=1, history=None if remembers else 0))
    return MPCAgent(planner, controller=PlannedActions(), replan_every=4, horizon=4, on_plan=on_plan)


def play(agent, observations, *, levels=None):
    """Actions for observations ``(steps, batch, 4)``."""
    agent.reset(seeds=SEEDS[: observations.shape[1]])
    given = [None] * len(observations) if levels is None else levels
    return np.stack([agent.act(seen, levels=level) for seen, level in zip(observations, given, strict=True)])


@pytest.fixture
def observations():
    return np.random.default_rng(0).uniform(1, 5, size=(14, 3, 4))


def test_it_plans_once_a_token_and_remembers_what_it_did(observations):
    events = []
    agent = agent_of(on_plan=events.append)
    actions = play(agent, observations)
    assert actions.shape == (14, 3, 2)
    assert [event.step for event in events] == [0, 4, 8, 12]
    planner, generators = agent.planner, [torch.Generator().manual_seed(seed) for seed in SEEDS]
    belief = planner.believe(observations[0])
    for step in (0, 4, 8, 12):
        if step:
            done = actions[step - 4 : step].swapaxes(0, 1)
            belief = planner.update(belief, actions=done, observations=observations[step][:, None])
        plan = planner.plan_from(belief, horizon=4, generators=generators)
        np.testing.assert_array_equal(actions[step : step + 4], plan.actions.swapaxes(0, 1)[: 14 - step])


def test_without_memory_the_past_changes_nothing(observations):
    changed = observations.copy()
    changed[:8] += 1
    for remembers in (False, True):
        first, second = (play(agent_of(remembers=remembers), each) for each in (observations, changed))
        assert not np.array_equal(first[:8], second[:8])
        assert np.array_equal(first[8:], second[8:]) == (not remembers)


def test_rows_do_not_depend_on_each_other_and_some_can_end(observations):
    whole, agent = play(agent_of(), observations), agent_of()
    agent.reset(seeds=SEEDS)
    for step, seen in enumerate(observations):
        if step == 6:  # in the midst of a token
            agent.finish(np.array([1]))
        rows = [0, 1, 2] if step < 6 else [0, 2]
        np.testing.assert_allclose(agent.act(seen)[rows], whole[step, rows], atol=1e-5)


def test_a_marked_observation_is_not_believed(observations):
    levels = np.zeros((14, 3))
    levels[4] = 1
    changed = observations.copy()
    changed[4] += 1
    first, second = (play(agent_of(), each, levels=levels) for each in (observations, changed))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, play(agent_of(), observations))


def test_the_number_of_environments_is_that_of_the_reset(observations):
    agent = agent_of()
    with pytest.raises(UserError, match="call reset"):
        agent.act(observations[0])


def drift(start, *, steps, speed=1.0):
    """States ``(steps, 4)`` of a point mass that drifts along x from ``start`` ``(2,)``."""
    places = np.asarray(start, np.float64) + np.arange(steps)[:, None] * [0.01 * speed, 0]
    return np.hstack([places, np.tile([speed, 0.0], (steps, 1))])


def test_an_environment_that_reset_itself_is_noticed_and_remembered_from_there_while_others_go_on():
    episode = np.concatenate([drift([1, 1], steps=6), drift([4, 4], steps=10, speed=0.1)])
    other = drift([2, 3], steps=16)
    events = []
    agent = agent_of(on_plan=events.append)
    actions = play(agent, np.stack([episode, other], axis=1))
    assert [(event.step, event.indices.tolist()) for event in events] == [
        (0, [0, 1]),
        (4, [0, 1]),
        (0, [0]),  # at its second observation, in the midst of a token of the other
        (8, [1]),
        (4, [0]),
        (12, [1]),
        (8, [0]),
    ]
    planner = agent.planner
    belief = planner.believe(episode[7:8])
    for step in (11, 15):
        done = actions[step - 4 : step, :1].swapaxes(0, 1)
        belief = planner.update(belief, actions=done, observations=episode[None, step : step + 1])
    ((_, kept),) = agent._beliefs.of(np.array([0]))
    for layer, expected in zip(kept.state.layers, belief.state.layers, strict=True):
        torch.testing.assert_close(layer, expected)
    alone = agent_of()
    alone.reset(seeds=SEEDS[1:2])
    np.testing.assert_allclose(actions[:, 1], [alone.act(seen[None])[0] for seen in other], atol=1e-5)


@pytest.mark.parametrize("marked", [False, True])
def test_noise_begins_no_episode(marked):
    generator = np.random.default_rng(0)
    observations = np.repeat(drift([1, 1], steps=200, speed=2.0)[:, None], 3, axis=1)
    noisy = generator.random((200, 3)) < 0.25
    observations[noisy] = generator.uniform([0, 0, -6, -6], [7, 6, 6, 6], size=(noisy.sum(), 4))
    events = []
    agent = agent_of(on_plan=events.append)
    play(agent, observations, levels=noisy.astype(float) if marked else None)
    assert [event.step for event in events] == list(range(0, 200, 4))


def test_who_is_told_begins_anew_at_once_and_the_rest_may_end(observations):
    events = []
    agent = agent_of(on_plan=events.append)
    agent.reset(seeds=SEEDS)
    agent.act(observations[0])
    agent.restart(np.array([1]))
    agent.act(observations[0])
    agent.finish(np.array([0]))
    actions = agent.act(observations[0])
    assert [event.indices.tolist() for event in events] == [[0, 1, 2], [1]]
    np.testing.assert_array_equal(actions[1:], [events[1].plan.actions[0, 1], events[0].plan.actions[2, 2]])


def test_whoever_is_over_is_planned_for_again_once_it_restarts(observations):
    events = []
    agent = agent_of(on_plan=events.append)
    agent.reset(seeds=SEEDS)
    agent.finish(np.array([0, 2]))
    for seen in observations[:5]:
        agent.act(seen)
    agent.restart(np.array([2]))
    agent.act(observations[5])
    assert [event.indices.tolist() for event in events] == [[1], [1], [2]]


def test_plans_that_remember_begin_where_tokens_do():
    planner = agent_of().planner
    with pytest.raises(UserError, match="a token of 4 steps begins; replan_every must be a multiple of that; got 6"):
        MPCAgent(planner, controller=PlannedActions(), replan_every=6, horizon=8)


def test_goals_are_remembered_with_what_is_seen(observations):
    """The same history towards other goals leads elsewhere, also where candidates are chosen from."""
    model = agent_of().planner.model

    def act(goals):
        planner = Planner(model, settings=PlannerSettings(num_candidates=3, history=2))
        agent = MPCAgent(planner, controller=PlannedActions(), replan_every=8, horizon=12)
        agent.reset(seeds=SEEDS, goals=goals)
        return np.stack([agent.act(seen) for seen in observations])

    goals = np.array([[2.0, 2.0], [4.0, 3.0], [1.5, 4.5]])
    assert not np.allclose(act(goals)[8:], act(goals[::-1].copy())[8:])
    np.testing.assert_array_equal(act(goals), act(goals))
