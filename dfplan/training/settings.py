"""The numbers of a training run: checked once at the start, written to the run folder, compared when it is resumed."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, get_args

from dfplan.domains.former import present_config
from dfplan.errors import UserError
from dfplan.options import option
from dfplan.ranges import check_settings
from dfplan.settings.training import Device, Length, Loop

# What may change between the parts of one run, since it does not touch what is computed (num_steps: see the loop).
MAY_CHANGE = ("num_steps", "checkpoint_every", "validate_every", "log_every", "keep_checkpoints", "device", "parallel")

# What they hold, whoever has loaded them compares.
WHERE_DATA_LIE = ("config.data", "config.dataset.sha256", "config.dataset.content")


@dataclass(frozen=True)
class Settings(Loop, Length):
    """How to train; ``seed`` is that of data order and noise, ``device`` ``auto`` (what accelerate finds) or ``cpu``.

    Raises:
        UserError: a number out of range, or an unknown word.
    """

    seed: int = option("what every random number derives from", low=0)
    device: Device = option("where to train", default="auto", choices=get_args(Device))

    def __post_init__(self) -> None:
        check_settings(self)


def check_parts(settings: Settings, *, num_processes: int) -> None:
    """Refuse a batch that cannot be shared out equally."""
    parts = settings.accumulation * num_processes
    if settings.batch_size % parts:
        raise UserError(
            f"batch_size must be a multiple of accumulation x processes, into so many parts it is cut; "
            f"got batch_size {settings.batch_size}, accumulation {settings.accumulation}, processes {num_processes}"
        )


def resolved_config(
    settings: Settings, *, optimizers: list[list[dict[str, Any]]], config: Mapping[str, Any]
) -> dict[str, Any]:
    """Return, as plain JSON, everything that decides what a run computes.

    Args:
        settings: those of the run.
        optimizers: per optimizer, the settings of its groups.
        config: what the caller says about its task and data.
    """
    text = json.dumps({"training": asdict(settings), "optimizers": optimizers, "config": dict(config)})
    return json.loads(text)


def check_same_config(saved: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Refuse to resume a run with other values than it was started with; names the keys that differ."""
    before, now = _flat(present_config(saved)), _flat(given)
    free = {f"training.{name}" for name in MAY_CHANGE} | set(WHERE_DATA_LIE)
    missing = "(absent)"
    differences = [
        f"{key} was {before.get(key, missing)!r} and is now {now.get(key, missing)!r}"
        for key in sorted((before.keys() | now.keys()) - free)
        if before.get(key, missing) != now.get(key, missing)
    ]
    if differences:
        shown = "; ".join(differences[:4]) + ("; ..." if len(differences) > 4 else "")
        raise UserError(
            f"cannot resume with another configuration: {shown}; give the old values, or start a new run folder"
        )


def _flat(tree: Any, prefix: str = "") -> dict[str, Any]:
    """Return the leaves of nested dicts and lists by dotted name."""
    if isinstance(tree, Mapping):
        items = tree.items()
    elif isinstance(tree, list):
        items = enumerate(tree)
    else:
        return {prefix: tree}
    leaves: dict[str, Any] = {}
    for key, value in items:
        leaves |= _flat(value, f"{prefix}.{key}" if prefix else str(key))
    return leaves
