"""The numbers of a training run: checked once at the start, written to the run folder, compared when it is resumed."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Required, TypedDict, get_args

from dfplan.errors import UserError
from dfplan.training.schedule import Decay

Precision = Literal["no", "bf16", "fp16"]
Device = Literal["auto", "cpu"]

# What may change between the parts of one run, since it does not touch what is computed (num_steps: see the loop).
MAY_CHANGE = ("num_steps", "checkpoint_every", "validate_every", "log_every", "keep_checkpoints", "device")

WHERE_DATA_LIE = "config.data"  # what they are, ``config.dataset`` says by their checksum


@dataclass(frozen=True)
class Settings:
    """How to train.

    Attributes:
        num_steps: optimizer steps in all.
        batch_size: windows per optimizer step, over all parts and processes.
        seed: of data order and noise.
        warmup_steps: steps of linear learning-rate warm-up.
        decay: how the learning rate goes to zero.
        decay_start: fraction of ``num_steps`` at which the decay begins.
        gradient_clip: largest gradient norm, or None.
        accumulation: in how many parts a process works through a batch; saves memory.
        precision: autocast of the training step; ``fp16`` needs a GPU.
        ema_decay: of the averaged weights, which are what is validated and exported.
        checkpoint_every: steps between checkpoints; the last step always has one.
        validate_every: steps between validations; 0 for never.
        log_every: steps between log lines.
        keep_checkpoints: how many of the newest are kept.
        device: ``auto`` (what accelerate finds) or ``cpu``.

    Raises:
        UserError: a number out of range, or an unknown word.
    """

    num_steps: int
    batch_size: int
    seed: int
    warmup_steps: int = 0
    decay: Decay = "cosine"
    decay_start: float = 0.0
    gradient_clip: float | None = 1.0
    accumulation: int = 1
    precision: Precision = "no"
    ema_decay: float = 0.999
    checkpoint_every: int = 1000
    validate_every: int = 0
    log_every: int = 50
    keep_checkpoints: int = 2
    device: Device = "auto"

    def __post_init__(self) -> None:
        for name in ("num_steps", "batch_size", "accumulation", "checkpoint_every", "log_every", "keep_checkpoints"):
            _check_integer(name, getattr(self, name), at_least=1)
        for name in ("seed", "warmup_steps", "validate_every"):
            _check_integer(name, getattr(self, name), at_least=0)
        if self.gradient_clip is not None:
            _check_number("gradient_clip", self.gradient_clip, "a finite number above 0, or None", low=0, open_low=True)
        _check_number("ema_decay", self.ema_decay, "from 0 up to but not including 1", low=0, high=1, open_high=True)
        _check_number("decay_start", self.decay_start, "a fraction of num_steps, from 0 to 1", low=0, high=1)
        for name, choices in {"decay": Decay, "precision": Precision, "device": Device}.items():
            if getattr(self, name) not in get_args(choices):
                raise UserError(f"{name} must be one of {', '.join(get_args(choices))}; got {getattr(self, name)!r}")


class SettingsOptions(TypedDict, total=False):
    """The same as keyword arguments of a function, for type checkers."""

    num_steps: Required[int]
    batch_size: Required[int]
    seed: Required[int]
    warmup_steps: int
    decay: Decay
    decay_start: float
    gradient_clip: float | None
    accumulation: int
    precision: Precision
    ema_decay: float
    checkpoint_every: int
    validate_every: int
    log_every: int
    keep_checkpoints: int
    device: Device


def check_parts(settings: Settings, *, num_processes: int) -> None:
    """Refuse a batch that cannot be shared out equally."""
    parts = settings.accumulation * num_processes
    if settings.batch_size % parts:
        raise UserError(
            f"batch_size must be a multiple of accumulation x processes, into so many parts it is cut; "
            f"got batch_size {settings.batch_size}, accumulation {settings.accumulation}, processes {num_processes}"
        )


def _check_integer(name: str, value: Any, *, at_least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < at_least:
        raise UserError(f"{name} must be a whole number, at least {at_least}; got {value!r}")


def _check_number(
    name: str,
    value: Any,
    allowed: str,
    *,
    low: float,
    high: float = math.inf,
    open_low: bool = False,
    open_high: bool = False,
) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not is_number or not low <= value <= high or (open_low and value == low) or (open_high and value == high):
        raise UserError(f"{name} must be {allowed}; got {value!r}")


def resolved_config(
    settings: Settings, *, optimizers: list[list[dict[str, Any]]], config: Mapping[str, Any]
) -> dict[str, Any]:
    """Return, as plain JSON, everything that decides what a run computes.

    Args:
        settings: the arguments of ``train``.
        optimizers: per optimizer, the settings of its groups.
        config: what the caller says about its task and data.
    """
    text = json.dumps({"training": asdict(settings), "optimizers": optimizers, "config": dict(config)})
    return json.loads(text)


def check_same_config(saved: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Refuse to resume a run with other values than it was started with; names the keys that differ."""
    before, now = _flat(saved), _flat(given)
    free = {f"training.{name}" for name in MAY_CHANGE} | {WHERE_DATA_LIE}
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
