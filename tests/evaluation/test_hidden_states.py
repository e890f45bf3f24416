"""Hidden states: whose they are, and what noise takes from them."""

import from_benchmarks
import numpy as np
import pytest
import torch
from tiny_model import tiny_denoiser, tiny_model, tiny_trajectories, tiny_windows

from dfplan.errors import UserError

hidden_states = from_benchmarks.module("hidden_states", of="repa").hidden_states
linear_probe = from_benchmarks.module("representations").linear_probe


def batch(number: int = 200):
    data = tiny_windows(tiny_trajectories(num=64))
    return data.sample(number, np.random.default_rng(0))


def test_there_is_one_row_for_each_valid_token_and_block():
    windows = batch()
    states = hidden_states(tiny_model(), windows, level=0.5, seed=0)
    assert [each.shape for each in states.blocks] == [(windows.valid.sum(), 16)] * 2
    np.testing.assert_array_equal(states.observations, windows.observations[:, 1::2][windows.valid])


def test_the_network_is_left_as_it_was_and_the_same_seed_gives_the_same():
    model, windows = tiny_model(), batch(8)
    one, same = (hidden_states(model, windows, level=0.5, seed=3) for _ in range(2))
    other = hidden_states(model, windows, level=0.5, seed=4)
    assert all((a == b).all() for a, b in zip(one.blocks, same.blocks, strict=True))
    assert not (one.blocks[0] == other.blocks[0]).all()
    assert not any(block._forward_hooks for block in model.denoiser.blocks)


def test_clean_tokens_hold_their_position_and_noise_takes_it_away():
    model = tiny_model()
    errors = []
    for level in (0.0, 0.5, 1.0):
        states = hidden_states(model, batch(400), level=level, seed=0)
        hidden, positions = states.blocks[0], states.observations[:, :2]
        half = len(hidden) // 2
        probe = linear_probe(hidden[:half], positions[:half], held_out=hidden[half:], held_out_targets=positions[half:])
        errors.append(probe.median)
    assert errors[0] < errors[1] < errors[2]


def test_a_network_without_blocks_is_refused():
    with pytest.raises(UserError, match="transformer"):
        hidden_states(tiny_model(tiny_denoiser("rnn")), batch(2), level=0.5, seed=0)


def test_the_global_random_state_is_not_touched():
    before = torch.get_rng_state()
    hidden_states(tiny_model(), batch(2), level=0.5, seed=0)
    assert torch.equal(before, torch.get_rng_state())
