"""Checkpoints: bundles in step folders, written whole or not at all, rotated, the newest valid one found again."""

import os
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from dfplan.errors import UserError
from dfplan.files import cannot_write, sync_folder
from dfplan.models.bundle import load_bundle, save_bundle

_STEP_FOLDER = re.compile(r"step-(\d{8,})")


def checkpoint_steps(folder: Path) -> list[int]:
    """Return the steps that have a checkpoint in ``folder``, valid or not, oldest first."""
    if not folder.is_dir():
        return []
    matches = [_STEP_FOLDER.fullmatch(each.name) for each in folder.iterdir()]
    return sorted(int(match[1]) for match in matches if match)


def save_checkpoint(
    folder: Path, *, step: int, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any], keep: int
) -> Path:
    """Write ``folder/step-00001000`` and then remove the oldest beyond ``keep``; returns the new folder.

    The checkpoint is written under a hidden name and renamed when it is whole and on disk.

    Raises:
        UserError: it cannot be written; the previous checkpoints are untouched.
    """
    final = folder / f"step-{step:08d}"
    staged = folder / f".writing-{final.name}"
    try:
        _remove_folder(staged)
        save_bundle(staged, tensors, metadata)
        _remove_folder(final)
        os.rename(staged, final)
        sync_folder(folder)
        for old in checkpoint_steps(folder)[:-keep]:
            _remove_folder(folder / f"step-{old:08d}")
    except OSError as error:
        raise cannot_write(final, error) from error
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return final


def load_newest_checkpoint(
    folder: Path, *, say: Callable[[str], None]
) -> tuple[int, dict[str, Tensor], dict[str, Any]]:
    """Return step, tensors and metadata of the newest checkpoint that is whole.

    Newer damaged ones are reported through ``say`` and set aside as ``damaged-step-...``, so that rotation does not
    count them.

    Raises:
        UserError: there is none, or none is whole.
    """
    remove_leftovers(folder)
    steps = checkpoint_steps(folder)
    if not steps:
        raise UserError(f"{folder}: no checkpoint to resume from; check the run folder, or start without resume")
    damaged: dict[Path, UserError] = {}
    for step in reversed(steps):
        path = folder / f"step-{step:08d}"
        try:
            tensors, metadata = load_bundle(path)
        except UserError as error:
            damaged[path] = error
            continue
        for each, reason in damaged.items():
            _set_aside(each)
            say(f"warning: going back to step {step}, the newer {each.name} is set aside as damaged: {reason}")
        return step, tensors, metadata
    newest, reason = next(iter(damaged.items()))
    raise UserError(f"{folder}: none of {len(steps)} checkpoints can be read; of the newest, {newest.name}: {reason}")


def _set_aside(folder: Path) -> None:
    aside = folder.with_name(f"damaged-{folder.name}")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        os.rename(folder, aside)
    except OSError as error:
        raise cannot_write(folder, error) from error


def is_in_use(folder: Path) -> bool:
    """Return whether there is anything in ``folder`` that a new run must not touch."""
    return folder.is_dir() and any(not each.name.startswith(".") for each in folder.iterdir())


def remove_leftovers(folder: Path) -> None:
    """Remove what a killed process left half-written or half-removed."""
    if folder.is_dir():
        for each in folder.iterdir():
            if each.name.startswith((".writing-", ".removing-")):
                shutil.rmtree(each, ignore_errors=True)


def _remove_folder(folder: Path) -> None:
    """Remove a folder; it disappears under its name at once, so that a kill cannot leave half a checkpoint there."""
    if folder.exists():
        doomed = folder.with_name(f".removing-{folder.name}")
        shutil.rmtree(doomed, ignore_errors=True)
        os.rename(folder, doomed)
        shutil.rmtree(doomed)


def optimizer_settings(optimizer: Optimizer) -> list[dict[str, Any]]:
    """Return the settings of each parameter group, without the parameters and the scheduled learning rate."""
    hidden = ("params", "lr")
    return [
        {key: value for key, value in group.items() if key not in hidden} | {"num_parameters": len(group["params"])}
        for group in optimizer.param_groups
    ]


def optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """Return the state of an optimizer as ``<parameter index>.<name>`` tensors."""
    state = optimizer.state_dict()["state"]
    tensors = {}
    for index, entries in state.items():
        for name, value in entries.items():
            if not isinstance(value, Tensor):
                raise TypeError(f"{type(optimizer).__name__} keeps {name} as {type(value).__name__}, not as a tensor")
            tensors[f"{index}.{name}"] = value
    return tensors


def load_optimizer_tensors(optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Restore what ``optimizer_tensors`` returned; the settings of the groups stay those of ``optimizer``."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict(optimizer.state_dict() | {"state": state})


def with_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors with ``prefix.`` before each name."""
    return {f"{prefix}.{name}": value for name, value in tensors.items()}


def under_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors whose name begins with ``prefix.``, without it."""
    return {name[len(prefix) + 1 :]: value for name, value in tensors.items() if name.startswith(f"{prefix}.")}
