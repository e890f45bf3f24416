"""Optimizer state survives without pickle; a checkpoint appears whole or not at all."""

import os

import pytest
import torch
from torch import nn

from dfplan.errors import UserError
from dfplan.training.checkpoint import (
    checkpoint_steps,
    load_newest_checkpoint,
    load_optimizer_tensors,
    optimizer_tensors,
    save_checkpoint,
)

OPTIMIZERS = {
    "AdamW": lambda parameters: torch.optim.AdamW(parameters, lr=0.1),
    "AdamW amsgrad": lambda parameters: torch.optim.AdamW(parameters, lr=0.1, amsgrad=True),
    "Muon": lambda parameters: torch.optim.Muon(parameters, lr=0.1),
    "SGD": lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9),
}


def take_steps(layer: nn.Linear, optimizer: torch.optim.Optimizer, *, seeds: range) -> None:
    for seed in seeds:
        optimizer.zero_grad()
        layer(torch.randn(4, 3, generator=torch.Generator().manual_seed(seed))).square().sum().backward()
        optimizer.step()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_goes_on_bit_for_bit(tmp_path, name):
    layer, other = nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False)
    optimizer, restored = OPTIMIZERS[name](layer.parameters()), OPTIMIZERS[name](other.parameters())
    take_steps(layer, optimizer, seeds=range(3))
    save_checkpoint(tmp_path, step=3, tensors=optimizer_tensors(optimizer), metadata={}, keep=1)
    other.load_state_dict(layer.state_dict())
    load_optimizer_tensors(restored, load_newest_checkpoint(tmp_path, say=pytest.fail)[1])
    take_steps(layer, optimizer, seeds=range(3, 6))
    take_steps(other, restored, seeds=range(3, 6))
    assert torch.equal(layer.weight, other.weight)


def save(folder, step, *, keep=2):
    return save_checkpoint(folder, step=step, tensors={"at": torch.tensor(step)}, metadata={"step": step}, keep=keep)


def test_the_newest_is_found_and_the_oldest_go(tmp_path):
    for step in (0, 5, 10, 100_000_000):
        save(tmp_path, step)
    assert checkpoint_steps(tmp_path) == [10, 100_000_000]
    step, tensors, metadata = load_newest_checkpoint(tmp_path, say=pytest.fail)
    assert (step, int(tensors["at"]), metadata) == (100_000_000, 100_000_000, {"step": 100_000_000})


def test_saving_a_step_again_replaces_it(tmp_path):
    save(tmp_path, 5)
    (tmp_path / "step-00000005" / "model.json").write_text("damaged")
    save(tmp_path, 5)
    assert load_newest_checkpoint(tmp_path, say=pytest.fail)[0] == 5
    assert [each.name for each in tmp_path.iterdir()] == ["step-00000005"]


@pytest.mark.parametrize("call", ["fsync", "rename", "replace"])
def test_a_failing_disk_leaves_the_previous_checkpoint(tmp_path, call, monkeypatch):
    save(tmp_path, 5, keep=1)

    def fail(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(UserError, match=r"step-00000010.*cannot be written \(No space left on device\)"):
        save(tmp_path, 10, keep=1)
    monkeypatch.undo()
    assert load_newest_checkpoint(tmp_path, say=pytest.fail)[0] == 5
    assert [each.name for each in tmp_path.iterdir()] == ["step-00000005"]
