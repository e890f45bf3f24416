"""The contract of a denoiser, held by every one of them."""

import pytest
import safetensors.torch
import torch
from tiny_model import DENOISERS, LAYOUT, tiny_denoiser
from torch import nn

from dfplan.errors import UserError
from dfplan.models.forcing_model import build_denoiser

BATCH, TOKENS = 3, 9


@pytest.fixture(params=DENOISERS)
def denoiser(request):
    return tiny_denoiser(request.param)


@pytest.fixture
def inputs():
    """Noisy tokens and their levels."""
    generator = torch.Generator().manual_seed(1)
    noisy = torch.randn(BATCH, TOKENS, LAYOUT.token_dim, generator=generator)
    return noisy, torch.rand(BATCH, TOKENS, 2, generator=generator)


def _close(found, expected):
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_prediction_has_the_shape_of_the_tokens(denoiser, inputs):
    prediction, state = denoiser(*inputs)
    assert prediction.shape == inputs[0].shape
    assert prediction.dtype == torch.float32
    assert state.num_tokens == TOKENS
    assert prediction.std() > 0.01  # or else the tests below compare nothing


@pytest.mark.parametrize("token", range(TOKENS))
def test_later_tokens_and_levels_change_nothing_before_them(denoiser, inputs, token):
    noisy, levels = inputs
    prediction, _ = denoiser(noisy, levels)
    for edited in (noisy.clone(), levels.clone()):
        edited[:, token:] += 0.1
        pair = (edited, levels) if edited.shape == noisy.shape else (noisy, edited)
        changed, _ = denoiser(*pair)
        assert torch.equal(changed[:, :token], prediction[:, :token])
        assert not torch.equal(changed[:, token], prediction[:, token])


@pytest.mark.parametrize("token", range(1, TOKENS))
def test_earlier_tokens_matter(denoiser, inputs, token):
    noisy, levels = inputs
    edited = noisy.clone()
    edited[:, 0] += 1
    assert not torch.equal(denoiser(edited, levels)[0][:, token], denoiser(noisy, levels)[0][:, token])


@pytest.mark.parametrize("slot_group", [0, 1])
def test_each_token_is_told_both_of_its_levels(denoiser, inputs, slot_group):
    noisy, levels = inputs
    prediction, _ = denoiser(noisy, levels)
    for token in range(TOKENS):
        edited = levels.clone()
        edited[:, token, slot_group] = 1 - edited[:, token, slot_group]
        changed, _ = denoiser(noisy, edited)
        assert (changed[:, token] - prediction[:, token]).abs().max() > 1e-3


def test_levels_given_once_hold_for_the_whole_batch(denoiser, inputs):
    noisy, levels = inputs
    _close(denoiser(noisy, levels[:1])[0], denoiser(noisy, levels[:1].expand(BATCH, -1, -1))[0])


@pytest.mark.parametrize("split", range(1, TOKENS))
def test_one_pass_equals_a_prefix_and_the_rest_from_its_state(denoiser, inputs, split):
    noisy, levels = inputs
    whole, whole_state = denoiser(noisy, levels)
    first, state = denoiser(noisy[:, :split], levels[:, :split])
    rest, state = denoiser(noisy[:, split:], levels[:, split:], state)
    _close(torch.cat([first, rest], dim=1), whole)
    for found, expected in zip(state.layers, whole_state.layers, strict=True):
        _close(found, expected)


def test_one_pass_equals_one_token_at_a_time(denoiser, inputs):
    noisy, levels = inputs
    state, predictions = None, []
    for token in range(TOKENS):
        part = slice(token, token + 1)
        prediction, state = denoiser(noisy[:, part], levels[:, part], state)
        predictions.append(prediction)
    _close(torch.cat(predictions, dim=1), denoiser(noisy, levels)[0])


@pytest.mark.parametrize("kept", [1, 4, TOKENS])
def test_a_truncated_state_is_the_state_of_fewer_tokens(denoiser, inputs, kept):
    noisy, levels = inputs
    state = denoiser(noisy, levels)[1].truncate(kept)
    assert state.num_tokens == kept
    found, _ = denoiser(noisy, levels, state)
    expected, _ = denoiser(noisy, levels, denoiser(noisy[:, :kept], levels[:, :kept])[1])
    _close(found, expected)


def test_a_state_truncated_to_nothing_is_no_state(denoiser, inputs):
    state = denoiser(*inputs)[1].truncate(0)
    _close(denoiser(*inputs, state)[0], denoiser(*inputs)[0])


def test_branches_of_a_selected_state_go_their_own_ways(denoiser, inputs):
    noisy, levels = inputs
    split, chosen = 4, torch.tensor([2, 0, 2])
    state = denoiser(noisy[:, :split], levels[:, :split])[1].select(chosen)
    found, _ = denoiser(noisy[:, split:], levels[:, split:], state)
    for branch, index in enumerate(chosen.tolist()):
        alone = torch.cat([noisy[index, None, :split], noisy[branch, None, split:]], dim=1)
        alone_levels = torch.cat([levels[index, None, :split], levels[branch, None, split:]], dim=1)
        _close(found[branch], denoiser(alone, alone_levels)[0][0, split:])


def test_a_state_is_never_changed_by_its_use(denoiser, inputs):
    noisy, levels = inputs
    _, state = denoiser(noisy[:, :4], levels[:, :4])
    before = [layer.clone() for layer in state.layers]
    denoiser(noisy[:, 4:], levels[:, 4:], state)
    for layer, expected in zip(state.layers, before, strict=True):
        assert torch.equal(layer, expected)


def test_sequences_of_a_batch_do_not_see_each_other(denoiser, inputs):
    noisy, levels = inputs
    together, _ = denoiser(noisy, levels)
    for index in range(BATCH):
        _close(denoiser(noisy[index, None], levels[index, None])[0][0], together[index])


def test_goal_and_context_are_known_by_their_place(denoiser, inputs):
    # The same content in the first three places is embedded three ways; places further on share one embedding.
    noisy, _ = inputs
    embedded = denoiser.embed_tokens(noisy[:, :1].expand(-1, 5, -1), first=0)
    assert not torch.equal(embedded[:, 0], embedded[:, 1])
    assert not torch.equal(embedded[:, 1], embedded[:, 2])
    _close(embedded[:, 2], embedded[:, 4])
    _close(denoiser.embed_tokens(noisy[:, :1], first=3)[:, 0], embedded[:, 3])


@pytest.mark.parametrize("name", DENOISERS)
def test_saved_and_loaded_weights_predict_the_same(name, inputs, tmp_path):
    denoiser, other = tiny_denoiser(name, seed=0), tiny_denoiser(name, seed=1)
    assert not torch.equal(denoiser(*inputs)[0], other(*inputs)[0])
    safetensors.torch.save_file(denoiser.state_dict(), tmp_path / "weights.safetensors")
    other.load_state_dict(safetensors.torch.load_file(tmp_path / "weights.safetensors"))
    assert torch.equal(denoiser(*inputs)[0], other(*inputs)[0])


@pytest.mark.parametrize("name", DENOISERS)
def test_every_weight_gets_a_gradient(name, inputs):
    denoiser = tiny_denoiser(name).requires_grad_(True)
    denoiser(*inputs)[0].square().sum().backward()
    assert all((parameter.grad != 0).any() for parameter in denoiser.parameters())
    assert denoiser.num_parameters == sum(parameter.numel() for parameter in denoiser.parameters())


@pytest.mark.parametrize("name", DENOISERS)
def test_bf16_autocast_stays_near_full_precision(name, inputs):
    denoiser = tiny_denoiser(name)
    exact, _ = denoiser(*inputs)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough, state = denoiser(*inputs)
        again, _ = denoiser(*inputs, state)
    assert rough.dtype == again.dtype == torch.float32
    assert (rough - exact).square().mean() < 0.01 * exact.square().mean()


def test_an_untrained_transformer_predicts_zero(inputs):
    denoiser = build_denoiser("transformer", layout=LAYOUT, width=16, num_layers=2)
    assert (denoiser(*inputs)[0] == 0).all()


def test_muon_gets_the_matrices_of_the_transformer_blocks_alone():
    denoiser = tiny_denoiser("transformer")
    shapes = sorted(tuple(matrix.shape) for matrix in denoiser.block_matrices())
    assert shapes == sorted(2 * [(48, 16), (16, 16), (64, 16), (16, 64)])
    assert tiny_denoiser("rnn").block_matrices() == []


@pytest.fixture
def open_denoiser():
    """Every token sees every other; the weights are those of the causal one."""
    return tiny_denoiser(causal=False)


def test_without_causality_every_token_matters_to_every_other(open_denoiser, inputs):
    noisy, levels = inputs
    prediction, _ = open_denoiser(noisy, levels)
    for token in range(TOKENS):
        edited = noisy.clone()
        edited[:, token] += 1
        changed, _ = open_denoiser(edited, levels)
        assert (changed != prediction).any(dim=-1).all()


def test_without_causality_one_block_predicts_the_last_token_as_with_it(inputs):
    """It sees all the others either way, and in the first block they are the same."""
    weights = {name: each for name, each in tiny_denoiser().state_dict().items() if not name.startswith("blocks.1.")}
    predictions = []
    for causal in (True, False):
        network = build_denoiser("transformer", layout=LAYOUT, causal=causal, width=16, num_layers=1)
        network.load_state_dict(weights)
        predictions.append(network(*inputs)[0])
    _close(predictions[0][:, -1], predictions[1][:, -1])
    assert (predictions[0][:, :-1] != predictions[1][:, :-1]).any(dim=-1).all()


@pytest.mark.parametrize("split", [1, 4, TOKENS - 1])
def test_without_causality_a_state_is_all_that_was_seen(open_denoiser, inputs, split):
    noisy, levels = inputs
    whole, _ = open_denoiser(noisy, levels)
    _, state = open_denoiser(noisy[:, :split], levels[:, :split])
    assert state.num_tokens == split
    rest, grown = open_denoiser(noisy[:, split:], levels[:, split:], state)
    assert torch.equal(rest, whole[:, split:])
    assert grown.num_tokens == TOKENS
    again, _ = open_denoiser(noisy[:, 2:], levels[:, 2:], grown.truncate(2))
    assert torch.equal(again, whole[:, 2:])
    chosen, _ = open_denoiser(noisy[[2, 0], split:], levels[[2, 0], split:], state.select(torch.tensor([2, 0])))
    _close(chosen, whole[[2, 0], split:])


@pytest.mark.slow
def test_the_transformer_exports(inputs):
    class Prediction(nn.Module):
        def __init__(self):
            super().__init__()
            self.denoiser = tiny_denoiser("transformer")

        def forward(self, noisy, levels):
            return self.denoiser(noisy, levels)[0]

    module = Prediction().eval()
    exported = torch.export.export(module, inputs)
    _close(exported.module()(*inputs), module(*inputs))


@pytest.mark.parametrize(
    ("name", "sizes", "complaint"),
    [
        ("mamba", {}, "unknown denoiser 'mamba'; choose one of transformer, rnn"),
        ("transformer", {"depth": 3}, "do not fit model 'transformer'.*depth"),
        ("rnn", {"num_heads": 4}, "do not fit model 'rnn'.*num_heads"),
        ("rnn", {"causal": False}, "an rnn .* is always causal; use model=transformer"),
        ("transformer", {"width": 20, "num_heads": 4}, "multiple of 2 . num_heads; got width=20, num_heads=4"),
    ],
)
def test_what_cannot_be_built_is_refused(name, sizes, complaint):
    with pytest.raises(UserError, match=complaint):
        build_denoiser(name, layout=LAYOUT, **sizes)
