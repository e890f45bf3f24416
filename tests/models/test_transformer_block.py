"""What the transformer computes in its own way for speed equals what torch computes."""

import copy

import pytest
import torch
import torch.nn.functional as F

from dfplan.models.transformer import (
    GELU_SCALE,
    MOST_REMEMBERED,
    ROWS_IN_CACHE,
    TransformerDenoiser,
    _rotate_,
    _scaled_gelu,
)


def test_gelu_is_that_of_torch_with_and_without_gradients_and_leaves_its_argument_alone():
    values = torch.linspace(-12, 12, 4001)
    scaled, expected = GELU_SCALE * values, GELU_SCALE * F.gelu(values, approximate="tanh")
    before = scaled.clone()
    with torch.no_grad():
        torch.testing.assert_close(_scaled_gelu(scaled), expected, rtol=1e-5, atol=2e-6)
    torch.testing.assert_close(_scaled_gelu(scaled), expected, rtol=1e-5, atol=2e-6)
    assert torch.equal(scaled, before)


def test_a_rotation_turns_each_pair_by_its_angle():
    """Two heads of two numbers: a quarter turn takes (x, y) to (-y, x); half a turn to (-x, -y)."""
    values = torch.tensor([[[1.0, 2.0, 3.0, 4.0]]])
    angles = torch.tensor([[-torch.pi / 2, torch.pi / 2, -torch.pi, torch.pi]])
    _rotate_(values, angles.cos(), angles.sin(), head_dim=2)
    torch.testing.assert_close(values, torch.tensor([[[-2.0, 1.0, -3.0, -4.0]]]))


@pytest.mark.parametrize("past", [0, 3])
@pytest.mark.parametrize("batch", [3, ROWS_IN_CACHE // 2])  # 4 tokens each: in one group, and in two
def test_with_and_without_gradients_the_network_says_the_same(past, batch):
    torch.manual_seed(0)
    network = TransformerDenoiser(
        token_dim=5, goal_slots=(0, 1), num_prefix_tokens=2, width=16, num_layers=2, num_heads=2
    )
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    noisy, levels = torch.randn(batch, past + 4, 5), torch.rand(1, past + 4, 2)
    state = network(noisy[:, :past], levels[:, :past])[1] if past else None
    found, _ = network(noisy[:, past:], levels[:, past:], state)
    with torch.no_grad():
        quick, _ = network(noisy[:, past:], levels[:, past:], state)
    torch.testing.assert_close(quick, found, rtol=0, atol=1e-5)
    assert found.std() > 0.1


def test_values_and_offsets_of_blocks_enter_as_they_did():
    """One block by the book: adaLN with an offset of its own, rotary attention, GELU, gates (DiT, PixArt-alpha)."""
    torch.manual_seed(0)
    width, heads, tokens = 16, 2, 3
    network = TransformerDenoiser(
        token_dim=5, goal_slots=(0, 1), num_prefix_tokens=2, width=width, num_layers=1, num_heads=heads
    )
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    noisy, levels = torch.randn(2, tokens, 5), torch.rand(2, tokens, 2)
    block, hidden = network.blocks[0], network.embed_tokens(noisy, first=0)
    level = F.silu(network.embed_levels(levels))
    shift, scale, gate, shift2, scale2, gate2 = (network.modulate(level) + block.modulation_offset).chunk(6, dim=-1)
    query, key, value = block.attention_in(F.layer_norm(hidden, (width,)) * (1 + scale) + shift).chunk(3, dim=-1)
    dim = width // heads
    angles = torch.arange(tokens)[:, None] * 1000.0 ** (-torch.arange(0, dim, 2) / dim)

    def split(values, *, turned):
        values = values.view(2, tokens, heads, dim).transpose(1, 2)
        if not turned:
            return values
        first, second = values.chunk(2, dim=-1)
        cosine, sine = angles.cos(), angles.sin()
        return torch.cat([first * cosine - second * sine, first * sine + second * cosine], dim=-1)

    scores = split(query, turned=True) @ split(key, turned=True).transpose(-1, -2) / dim**0.5
    scores = scores.masked_fill(torch.ones(tokens, tokens).triu(1) > 0, -torch.inf)
    attended = scores.softmax(-1) @ split(value, turned=False)
    hidden = hidden + gate * block.attention_out(attended.transpose(1, 2).flatten(2))
    fed = block.feed_in(F.layer_norm(hidden, (width,)) * (1 + scale2) + shift2)
    hidden = hidden + gate2 * block.feed_out(F.gelu(fed, approximate="tanh"))
    shift, scale = network.modulate_out(level).chunk(2, dim=-1)
    expected = network.project_out(F.layer_norm(hidden, (width,)) * (1 + scale) + shift)
    torch.testing.assert_close(network(noisy, levels)[0], expected, rtol=0, atol=1e-5)


def _network():
    torch.manual_seed(0)
    network = TransformerDenoiser(token_dim=5, goal_slots=(), num_prefix_tokens=2, width=16, num_layers=1, num_heads=2)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return network.eval()


def test_what_is_remembered_of_levels_changes_with_the_weights():
    """Plans ask for the same levels again and again; a network that is trained on must not answer from before."""
    network, noisy, levels = _network(), torch.randn(2, 3, 5), torch.rand(1, 3, 2)
    for parameter in network.parameters():
        with torch.no_grad():
            network(noisy, levels)
            parameter.add_(0.1 * torch.randn_like(parameter))
            found, _ = network(noisy, levels)
        torch.testing.assert_close(found, network(noisy, levels)[0].detach(), rtol=0, atol=1e-5)


def test_a_copy_remembers_nothing_and_notices_its_own_changes():
    network, noisy, levels = _network(), torch.randn(2, 3, 5), torch.rand(1, 3, 2)
    with torch.inference_mode():
        before, _ = network(noisy, levels)
    other = copy.deepcopy(network)
    with torch.no_grad():
        other(noisy, levels)
        other.modulate.weight.add_(1.0)
        assert not torch.equal(other(noisy, levels)[0], before)
        assert torch.equal(network(noisy, levels)[0], before)


def test_no_more_is_remembered_than_plans_ask_for():
    network = _network()
    with torch.inference_mode():
        for tokens in range(1, 3 * MOST_REMEMBERED):
            network(torch.zeros(1, 1, 5), torch.full((1, 1, 2), 1 / tokens))
    assert len(network._memory) <= MOST_REMEMBERED
