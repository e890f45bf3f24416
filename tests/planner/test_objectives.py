"""Objectives are the quantities they are named after, in the units of the environment."""

import pytest
import torch
from tiny_model import LAYOUT, tiny_model

from dfplan.planner.objectives import goal_distance, predicted_return, weighted_sum

NORMALIZER = tiny_model().normalizer


def _tokens(positions, rewards):
    """Tokens of a batch from positions ``[batch, points, 2]`` and rewards ``[batch, tokens]``."""
    batch, num_tokens = rewards.shape
    states = torch.cat([positions, torch.zeros_like(positions)], dim=-1)
    actions = torch.zeros(batch, num_tokens * LAYOUT.steps_per_token, LAYOUT.action_dim)
    return LAYOUT.pack(NORMALIZER.actions(actions), NORMALIZER.rewards(rewards), NORMALIZER.observations(states))


def test_predicted_return_is_the_mean_share_of_time_at_the_goal():
    tokens = _tokens(torch.rand(2, 6, 2), torch.tensor([[0.0, 0.5, 1.0], [0.0, 0.0, 0.25]]))
    value = predicted_return(layout=LAYOUT, normalizer=NORMALIZER)(tokens)
    torch.testing.assert_close(value, torch.tensor([0.5, 0.25 / 3]))


def test_goal_distance_is_the_mean_distance():
    goals = torch.tensor([[1.0, 1.0], [4.0, 1.0]])
    positions = torch.tensor([[1.0, 1.0], [1.0, 2.0], [4.0, 5.0], [1.0, 4.0]]).expand(2, 4, 2)
    value = goal_distance(goals, layout=LAYOUT, normalizer=NORMALIZER)(_tokens(positions, torch.zeros(2, 2)))
    expected = torch.stack([-(positions[row] - goals[row]).norm(dim=-1).mean() for row in range(2)])
    torch.testing.assert_close(value, expected, rtol=0, atol=1e-3)


def test_the_gradient_is_finite_at_the_goal_itself():
    goals = torch.tensor([[1.0, 1.0]])
    tokens = _tokens(goals.expand(1, 4, 2), torch.zeros(1, 2)).requires_grad_()
    goal_distance(goals, layout=LAYOUT, normalizer=NORMALIZER)(tokens).sum().backward()
    assert torch.isfinite(tokens.grad).all()


def test_a_longer_plan_is_not_worth_more():
    goals = torch.tensor([[1.0, 1.0]])
    for objective in (
        goal_distance(goals, layout=LAYOUT, normalizer=NORMALIZER),
        predicted_return(layout=LAYOUT, normalizer=NORMALIZER),
    ):
        short, long = (
            objective(_tokens(torch.full((1, 2 * num_tokens, 2), 3.0), torch.full((1, num_tokens), 0.5)))
            for num_tokens in (2, 20)
        )
        torch.testing.assert_close(short, long)


def test_weighted_sum():
    parts = [lambda tokens: tokens.sum(dim=(1, 2)), lambda tokens: tokens.amax(dim=(1, 2))]
    tokens = torch.tensor([[[1.0, 2.0]], [[3.0, -1.0]]])
    assert weighted_sum(parts, weights=[2.0, 10.0])(tokens).tolist() == [26.0, 34.0]
    with pytest.raises(ValueError, match="got 2 objectives, 1 weights"):
        weighted_sum(parts, weights=[1.0])
