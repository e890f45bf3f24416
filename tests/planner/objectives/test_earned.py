"""What plans without goals are steered towards is what they are ranked by."""

import numpy as np
import pytest
import torch

from dfplan.domain import Proposals
from dfplan.planner.objectives import PredictedPlan, expected_return
from dfplan.scorers import ReturnScorer, fit_value
from dfplan.settings.value import ValueSettings
from dfplan.training.value import train_value
from dfplan.types import Trajectories

STEPS_PER_TOKEN = 2


def wander(num: int = 20, num_steps: int = 30) -> Trajectories:
    """Random walks that earn where they are."""
    generator, rows = np.random.default_rng(0), num * (num_steps + 1)
    observations = generator.normal(size=(num, num_steps + 1, 3)).cumsum(axis=1).reshape(rows, 3).astype(np.float32)
    return Trajectories(
        observations=observations,
        actions=np.zeros((rows, 1), np.float32),
        starts=np.arange(num + 1) * (num_steps + 1),
        segment_ends=np.zeros(rows, bool),
        source="walks",
        rewards=observations[:, 0].copy(),
    )


@pytest.fixture(scope="module", params=["features", "networks", "none"])
def scorer(request):
    if request.param == "none":
        return ReturnScorer(0.9)
    if request.param == "features":
        return ReturnScorer(0.9, fit_value(wander(), discount=0.9))
    settings = ValueSettings(kind="networks", discount=0.9, num_steps=30, width=16, members=2)
    return ReturnScorer(0.9, train_value(wander(), settings, seed=0))


def plans(states, rewards):
    """The same plans for gradients, and for the scorer."""
    count = len(states)
    differentiable = PredictedPlan(
        starts=torch.zeros(count, 0),
        goals=torch.zeros(count, 0),
        observations=torch.tensor(states, dtype=torch.float32),
        rewards=torch.tensor(rewards, dtype=torch.float32),
        levels=torch.zeros(1, rewards.shape[1]),
        goal_radius=1.0,
        seconds_per_point=1.0,
    )
    ranked = Proposals(
        starts=states[:, 0],
        states=states,
        rewards=rewards,
        goals=np.zeros((count, 0)),
        num_steps=np.full(count, STEPS_PER_TOKEN * rewards.shape[1]),
        steps_per_point=STEPS_PER_TOKEN,
        steps_per_token=STEPS_PER_TOKEN,
    )
    return differentiable, ranked


def test_it_is_the_value_of_the_scorer_in_spans_of_the_returns(scorer):
    generator = np.random.default_rng(1)
    differentiable, ranked = plans(generator.normal(size=(6, 4, 3)), generator.normal(size=(6, 4)))
    found = expected_return(scorer, steps_per_token=STEPS_PER_TOKEN)(differentiable).numpy()
    span = 10 if scorer.value is None else np.ptp(scorer.value.range)
    np.testing.assert_allclose(found, scorer.score(ranked).value / span, rtol=1e-4, atol=1e-6)


def test_it_rises_with_rewards_and_along_the_value_of_the_end(scorer):
    generator = np.random.default_rng(2)
    plan, _ = plans(0.1 * generator.normal(size=(6, 4, 3)), generator.normal(size=(6, 4)))
    for each in (plan.rewards, plan.observations):
        each.requires_grad_()
    expected_return(scorer, steps_per_token=STEPS_PER_TOKEN)(plan).sum().backward()
    assert (plan.rewards.grad > 0).all()
    assert plan.observations.grad is None or (plan.observations.grad[:, :-1] == 0).all()
    if scorer.value is not None:
        assert plan.observations.grad[:, -1].abs().sum() > 0
