import pytest
import torch
from torch import nn

from dfplan.training import muon
from dfplan.training.muon import Muon, fastest_precision, orthogonalized

SHAPES = [(12, 8), (8, 12), (12, 8), (6, 6)]
OPTIONS = {"lr": 0.1, "weight_decay": 0.05}


def parameters():
    generator = torch.Generator().manual_seed(0)
    return [nn.Parameter(torch.randn(shape, generator=generator)) for shape in SHAPES]


def after_steps(optimizer, matrices):
    generator = torch.Generator().manual_seed(1)
    for _ in range(3):
        for each in matrices:
            each.grad = torch.randn(each.shape, generator=generator)
        optimizer.step()
    return [each.detach() for each in matrices]


@pytest.mark.parametrize("adjust", [None, "match_rms_adamw"])
@pytest.mark.parametrize("nesterov", [True, False])
def test_in_bfloat16_it_is_torchs(adjust, nesterov):
    options = OPTIONS | {"adjust_lr_fn": adjust, "nesterov": nesterov}
    ours, theirs = parameters(), parameters()
    found = after_steps(Muon(ours, matrix_precision="bfloat16", **options), ours)
    wanted = after_steps(torch.optim.Muon(theirs, **options), theirs)
    for one, other in zip(found, wanted, strict=True):
        assert torch.allclose(one, other, atol=5e-3)


def test_in_float32_it_differs_from_torchs_by_rounding_alone():
    ours, theirs = parameters(), parameters()
    found = after_steps(Muon(ours, matrix_precision="float32", **OPTIONS), ours)
    wanted = after_steps(torch.optim.Muon(theirs, **OPTIONS), theirs)
    moved = torch.cat([(one - start).flatten() for one, start in zip(found, parameters(), strict=True)])
    other = torch.cat([(one - start).flatten() for one, start in zip(wanted, parameters(), strict=True)])
    assert (moved - other).norm() < 0.02 * other.norm()


def test_orthogonalized_matrices_keep_their_singular_vectors():
    matrices = torch.randn(3, 12, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = orthogonalized(
        matrices, dtype=torch.float64, coefficients=(3.4445, -4.775, 2.0315), num_iterations=5, eps=1e-7
    )
    left, values, right = torch.linalg.svd(matrices, full_matrices=False)
    rotated = left.mT @ found @ right.mT
    new_values = rotated.diagonal(dim1=1, dim2=2)
    assert torch.allclose(rotated, torch.diag_embed(new_values), atol=1e-9)
    assert ((new_values > 0.5) & (new_values < 1.5)).all()
    assert values.max() / values.min() > 3  # they were far from equal before


def test_state_is_torchs_so_that_runs_from_before_can_be_resumed():
    matrices = parameters()
    theirs = torch.optim.Muon(matrices, **OPTIONS)
    after_steps(theirs, matrices)
    ours = Muon(parameters(), matrix_precision="float32", **OPTIONS)
    ours.load_state_dict(theirs.state_dict())
    assert ours.state_dict()["param_groups"] == theirs.state_dict()["param_groups"]
    assert ours.state_dict()["state"].keys() == theirs.state_dict()["state"].keys()


@pytest.mark.parametrize("faster", ["float32", "bfloat16"])
def test_the_faster_precision_is_taken(monkeypatch, faster):
    monkeypatch.setattr(muon, "_seconds_of_product", lambda dtype: 1.0 if dtype == getattr(torch, faster) else 2.0)
    assert fastest_precision(torch.device("cpu")) == faster


def test_a_gpu_takes_bfloat16_without_a_trial():
    assert fastest_precision(torch.device("cuda")) == "bfloat16"
