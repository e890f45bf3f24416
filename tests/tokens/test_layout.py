"""Packing steps into tokens loses nothing, and every slot is where the layout says."""

import pytest
import torch

from dfplan.errors import UserError
from dfplan.tokens import CONTEXT_TOKEN, GOAL_TOKEN, NUM_PREFIX_TOKENS, TokenLayout

LAYOUTS = [
    TokenLayout(),
    TokenLayout(steps_per_token=1, points_per_token=1),
    TokenLayout(steps_per_token=6, points_per_token=3, action_dim=3, observation_dim=5, goal_dim=1),
    TokenLayout(steps_per_token=4, points_per_token=4, action_dim=1, observation_dim=2, goal_dim=2),
]


@pytest.fixture(params=LAYOUTS, ids=str)
def layout(request):
    return request.param


@pytest.fixture
def steps(layout):
    """Actions, rewards and observations of three sequences of five tokens."""
    generator = torch.Generator().manual_seed(0)
    return (
        torch.randn(3, 5 * layout.steps_per_token, layout.action_dim, generator=generator),
        torch.rand(3, 5, generator=generator),
        torch.randn(3, 5 * layout.points_per_token, layout.observation_dim, generator=generator),
    )


def test_round_trip(layout, steps):
    tokens = layout.pack(*steps)
    assert tokens.shape == (3, 5, layout.token_dim)
    for found, expected in zip(layout.unpack(tokens), steps, strict=True):
        assert torch.equal(found, expected)
    assert torch.equal(layout.pack(*layout.unpack(tokens)), tokens)


def test_a_token_holds_its_own_steps_only(layout, steps):
    actions, rewards, observations = steps
    tokens = layout.pack(*steps)
    for token in range(5):
        part = slice(token * layout.steps_per_token, (token + 1) * layout.steps_per_token)
        points = slice(token * layout.points_per_token, (token + 1) * layout.points_per_token)
        alone = layout.pack(actions[:, part], rewards[:, token : token + 1], observations[:, points])
        assert torch.equal(alone[:, 0], tokens[:, token])


def test_slots_are_actions_reward_observations(layout):
    assert layout.reward_slot == layout.num_action_slots == layout.steps_per_token * layout.action_dim
    assert layout.observation_slots.start == layout.reward_slot + 1
    assert layout.observation_slots.stop == layout.token_dim
    assert layout.steps_per_point * layout.points_per_token == layout.steps_per_token


def test_position_slots_hold_the_positions(layout, steps):
    tokens = layout.pack(*steps)
    positions = steps[2][..., : layout.goal_dim].reshape(3, 5, -1)
    assert torch.equal(tokens[..., layout.goal_slots], positions)


def test_the_default_token_by_hand():
    layout = TokenLayout()
    assert (layout.num_action_slots, layout.reward_slot, layout.token_dim) == (32, 32, 41)
    assert layout.goal_slots == (33, 34, 37, 38)
    assert layout.steps_per_point == 8


def test_levels_spread_over_their_slots(layout):
    levels = torch.tensor([[[0.1, 0.9], [0.0, 1.0]]])
    slots = layout.per_slot(levels)
    assert slots.shape == (1, 2, layout.token_dim)
    assert torch.equal(slots[..., : layout.num_action_slots], levels[..., :1].expand(1, 2, layout.num_action_slots))
    rest = layout.token_dim - layout.num_action_slots
    assert torch.equal(slots[..., layout.num_action_slots :], levels[..., 1:].expand(1, 2, rest))


def test_prefix_puts_goal_and_context_where_a_token_has_its_last_observation(layout):
    goals = torch.randn(3, layout.goal_dim)
    observations = torch.randn(3, layout.observation_dim)
    prefix = layout.prefix(goals, observations)
    assert prefix.shape == (3, NUM_PREFIX_TOKENS, layout.token_dim)
    _, _, states = layout.unpack(prefix)
    states = states.view(3, NUM_PREFIX_TOKENS, layout.points_per_token, layout.observation_dim)
    assert torch.equal(states[:, CONTEXT_TOKEN, -1], observations)
    assert torch.equal(states[:, GOAL_TOKEN, -1, : layout.goal_dim], goals)
    assert (prefix != 0).sum() == goals.numel() + observations.numel()


@pytest.mark.parametrize(
    ("sizes", "complaint"),
    [
        ({"steps_per_token": 0}, "steps_per_token must be at least 1; got 0"),
        ({"action_dim": -2}, "action_dim must be at least 0; got -2"),
        ({"steps_per_token": 16, "points_per_token": 3}, "must divide steps_per_token; got 3 and 16"),
        ({"goal_dim": 5}, "goal_dim 5 exceeds observation_dim 4"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(sizes, complaint):
    with pytest.raises(UserError, match=complaint):
        TokenLayout(**sizes)
