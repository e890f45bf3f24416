"""Checkpoints: bundles in step folders, written whole or not at all, rotated, the newest valid one found again."""

import os
import re
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from dfplan.errors import UserError
from dfplan.files import cannot_write, sync_folder
from dfplan.models.bundle import load_bundle, save_bundle

_STEP_FOLDER = re.compile(r"step-(\d{8,})")
_WRITING, _REMOVING = ".writing-", ".removing-"


def checkpoint_steps(folder: Path) -> list[int]:
    """Return the steps that have a checkpoint in ``folder``, valid or not, oldest first."""
    if not folder.is_dir():
        return []
    matches = [_STEP_FOLDER.fullmatch(each.name) for each in folder.iterdir()]
    steps = {int(match[1]): match[0] for match in matches if match}
    return sorted(step for step, name in steps.items() if name == checkpoint_folder(folder, step).name)


def checkpoint_folder(folder: Path, step: int) -> Path:
    """Return where the checkpoint of a step lies."""
    return folder / f"step-{step:08d}"


def save_checkpoint(
    folder: Path, *, step: int, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any], keep: int
) -> Path:
    """Write ``folder/step-00001000`` and then remove the oldest beyond ``keep``; returns the new folder.

    The checkpoint is written under a hidden name and renamed when it is whole and on disk.

    Raises:
        UserError: it cannot be written; the previous checkpoints are untouched.
    """
    final = checkpoint_folder(folder, step)
    staged = folder / f"{_WRITING}{final.name}"
    try:
        _remove_folder(staged)
        save_bundle(staged, tensors, metadata)
        _remove_folder(final)  # killed before the next line, `staged` is found whole and gets its name
        os.rename(staged, final)
    except OSError as error:
        raise cannot_write(final, error) from error
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    sync_folder(folder)
    with suppress(OSError):  # the new one is there; the next saving removes what now stays
        for old in checkpoint_steps(folder)[:-keep]:
            _remove_folder(checkpoint_folder(folder, old))
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
    try:
        remove_leftovers(folder)
        steps = checkpoint_steps(folder)
    except OSError as error:
        raise UserError(f"{folder}: cannot be read ({error.strerror}); check its permissions") from error
    if not steps:
        raise UserError(f"{folder}: no checkpoint to resume from; check the run folder, or start without resume")
    damaged: dict[Path, UserError] = {}
    for step in reversed(steps):
        path = checkpoint_folder(folder, step)
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
    """Remove what a killed process left half-written or half-removed; what it left whole is kept."""
    if not folder.is_dir():
        return
    for each in folder.iterdir():
        final = folder / each.name.removeprefix(_WRITING)
        if each.name.startswith(_WRITING) and not final.exists() and _is_whole(each):
            os.rename(each, final)
        elif each.name.startswith((_WRITING, _REMOVING)):
            shutil.rmtree(each, ignore_errors=True)


def _is_whole(folder: Path) -> bool:
    try:
        load_bundle(folder)
    except UserError:
        return False
    return True


def _remove_folder(folder: Path) -> None:
    """Remove a folder; it disappears under its name at once, so that a kill cannot leave half a checkpoint there."""
    if folder.exists():
        doomed = folder.with_name(f"{_REMOVING}{folder.name}")
        shutil.rmtree(doomed, ignore_errors=True)
        os.rename(folder, doomed)
        shutil.rmtree(doomed, ignore_errors=True)


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
