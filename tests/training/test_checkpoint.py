"""Optimizer state survives without pickle; a checkpoint appears whole or not at all."""

import os
import shutil
from pathlib import Path

import pytest
import torch
from torch import nn

from dfplan.errors import UserError
from dfplan.training.checkpoint import (
    checkpoint_steps,
    is_in_use,
    load_newest_checkpoint,
    load_optimizer_tensors,
    optimizer_settings,
    optimizer_tensors,
    save_checkpoint,
    under_prefix,
    with_prefix,
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


def test_what_goes_wrong_once_a_checkpoint_has_its_name_is_no_failure_to_save(tmp_path, monkeypatch):
    save(tmp_path, 5, keep=1)
    rename = os.rename

    def stuck(source, target):
        if Path(source).name == "step-00000005":
            raise OSError(39, "Directory not empty")  # a network file system, while something in it is open
        rename(source, target)

    monkeypatch.setattr(os, "rename", stuck)
    save(tmp_path, 10, keep=1)
    assert checkpoint_steps(tmp_path) == [5, 10]
    monkeypatch.undo()
    save(tmp_path, 15, keep=1)
    assert checkpoint_steps(tmp_path) == [15]


def test_a_checkpoint_that_was_whole_but_not_yet_named_gets_its_name(tmp_path):
    save(tmp_path, 5)
    save(tmp_path, 10)
    os.rename(tmp_path / "step-00000010", tmp_path / ".writing-step-00000010")
    shutil.copytree(tmp_path / "step-00000005", tmp_path / ".writing-step-00000005")  # its name is taken
    shutil.copytree(tmp_path / "step-00000005", tmp_path / ".writing-step-00000015")
    (tmp_path / ".writing-step-00000015" / "model.json").write_text("half of")
    (tmp_path / ".removing-step-00000001").mkdir()
    assert load_newest_checkpoint(tmp_path, say=pytest.fail)[0] == 10
    assert sorted(each.name for each in tmp_path.iterdir()) == ["step-00000005", "step-00000010"]


def test_a_kill_while_a_checkpoint_is_replaced_loses_none(tmp_path, monkeypatch):
    save(tmp_path, 5)

    def killed(source, target):
        if Path(target).name == "step-00000005":
            raise KeyboardInterrupt
        rename(source, target)

    rename = os.rename
    monkeypatch.setattr(os, "rename", killed)
    monkeypatch.setattr(shutil, "rmtree", lambda folder, **_: None)  # a killed process does not tidy up
    with pytest.raises(KeyboardInterrupt):
        save(tmp_path, 5)
    monkeypatch.undo()
    assert checkpoint_steps(tmp_path) == []
    assert load_newest_checkpoint(tmp_path, say=pytest.fail)[0] == 5


def test_only_folders_that_were_named_by_saving_are_checkpoints(tmp_path):
    save(tmp_path, 5)
    for name in ("step-5", "step-0000000007", "step-00000006x", "damaged-step-00000008"):
        (tmp_path / name).mkdir()
    assert checkpoint_steps(tmp_path) == [5]
    assert checkpoint_steps(tmp_path / "nowhere") == []


def test_damaged_newer_checkpoints_are_set_aside_and_said(tmp_path):
    for step in (5, 10, 15):
        save(tmp_path, step, keep=3)
    for step in (10, 15):
        (tmp_path / f"step-{step:08d}" / "model.json").write_text("damaged")
    said = []
    assert load_newest_checkpoint(tmp_path, say=said.append)[0] == 5
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "damaged-step-00000010",
        "damaged-step-00000015",
        "step-00000005",
    ]
    assert len(said) == 2
    assert all("warning: going back to step 5, the newer step-000000" in line for line in said)
    assert not is_in_use(tmp_path / "nowhere")
    assert is_in_use(tmp_path)


def test_a_folder_that_cannot_be_read_is_one_line(tmp_path, monkeypatch):
    save(tmp_path, 5)

    def fail(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", fail)
    with pytest.raises(UserError, match=r"cannot be read \(Permission denied\); check its permissions"):
        load_newest_checkpoint(tmp_path, say=pytest.fail)


def test_state_that_is_no_tensor_is_refused():
    parameter = torch.nn.Parameter(torch.zeros(2))
    optimizer = torch.optim.SGD([parameter], lr=0.1)
    optimizer.state[parameter]["count"] = 3
    with pytest.raises(TypeError, match="SGD keeps count as int, not as a tensor"):
        optimizer_tensors(optimizer)


def test_settings_of_an_optimizer_leave_out_what_is_scheduled():
    parameters = [torch.nn.Parameter(torch.zeros(2)) for _ in range(3)]
    optimizer = torch.optim.SGD([{"params": parameters[:2], "momentum": 0.5}, {"params": parameters[2:]}], lr=0.1)
    first, second = optimizer_settings(optimizer)
    assert (first["momentum"], first["num_parameters"], second["num_parameters"]) == (0.5, 2, 1)
    assert not {"lr", "params"} & first.keys()


def test_prefixes_come_off_as_they_went_on():
    tensors = {"a.b": torch.zeros(1), "c": torch.ones(1)}
    both = with_prefix("one", tensors) | with_prefix("onetwo", tensors)
    assert sorted(both) == ["one.a.b", "one.c", "onetwo.a.b", "onetwo.c"]
    assert under_prefix("one", both) == tensors
