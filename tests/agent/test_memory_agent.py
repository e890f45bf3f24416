"""The agent plans once a token, plays its plan, and remembers exactly what it saw and did."""

import dataclasses

import numpy as np
import pytest
import torch
from tiny_model import tiny_denoiser, tiny_model

from dfplan.agent.memory import MemoryAgent
from dfplan.errors import UserError
from dfplan.planner import PlannerSettings
from dfplan.planner.memory import MemoryPlanner
from dfplan.tokens import TokenLayout

LAYOUT = TokenLayout(steps_per_token=4, points_per_token=1)
SEEDS = [5, 6, 7]


def agent_of(*, remembers=True, on_plan=None):
    model = dataclasses.replace(tiny_model(), denoiser=tiny_denoiser(layout=LAYOUT), layout=LAYOUT)
    planner = MemoryPlanner(model, settings=PlannerSettings())
    return MemoryAgent(planner, remembers=remembers, on_plan=on_plan)


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
    memory = planner.begin(observations[0], levels=np.zeros(3))
    for step in (0, 4, 8, 12):
        if step:
            done = actions[step - 4 : step].swapaxes(0, 1)
            memory = planner.remember(memory, actions=done, observations=observations[step], levels=np.zeros(3))
        plan = planner.plan(memory, num_tokens=1, generators=generators)
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
            agent.keep(np.array([0, 2]))
        rows = [0, 1, 2] if step < 6 else [0, 2]
        np.testing.assert_allclose(agent.act(seen[rows]), whole[step, rows], atol=1e-5)


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
