"""How a model is trained."""

from dataclasses import dataclass
from typing import Literal, get_args

from dfplan.options import option
from dfplan.ranges import check_settings

Decay = Literal["cosine", "linear", "constant"]
Precision = Literal["no", "bf16", "fp16"]
Device = Literal["auto", "cpu"]
Parallel = Literal["ddp", "fsdp"]
MatrixPrecision = Literal["float32", "bfloat16"]


@dataclass(frozen=True)
class Length:
    """How much is learned from."""

    num_steps: int = option("optimiser steps", default=6000, low=1)
    batch_size: int = option("windows in a batch", default=64, low=1)


@dataclass(frozen=True)
class Rates:
    """How fast weights move."""

    learning_rate: float = option("of AdamW", default=3e-3, above=0)
    matrix_learning_rate: float = option("of Muon, which trains the matrices of the blocks", default=1.5e-2, above=0)
    weight_decay: float = option("of both optimisers", default=0.01, low=0)


@dataclass(frozen=True)
class Loop:
    """What the training loop does besides; the last step always has a checkpoint. ``fp16`` needs a GPU."""

    warmup_steps: int = option("steps until the full learning rate", default=200, low=0)
    decay: Decay = option("how the learning rate falls", default="linear", choices=get_args(Decay))
    decay_start: float = option("share of the steps after which it falls", default=0.5, low=0, high=1)
    gradient_clip: float | None = option("largest gradient norm; null = unlimited", default=1.0, above=0)
    accumulation: int = option("micro-batches in an optimiser step", default=1, low=1)
    precision: Precision = option("arithmetic of the network", default="no", choices=get_args(Precision))
    ema_decay: float = option("decay of the averaged weights", default=0.998, low=0, below=1)
    checkpoint_every: int = option("steps between two checkpoints", default=500, low=1)
    validate_every: int = option("steps between two validations; 0 = never", default=500, low=0)
    log_every: int = option("steps between two log lines", default=50, low=1)
    keep_checkpoints: int = option("checkpoints kept", default=2, low=1)
    parallel: Parallel = option(
        "of several processes: ddp = each holds all weights; fsdp = each holds a share of weights, averages and "
        "optimiser state, and trains uncompiled",
        default="ddp",
        choices=get_args(Parallel),
    )


@dataclass(frozen=True)
class OptimizerSettings(Rates):
    """How the weights of a planner are trained: Muon for the matrices of its blocks, AdamW for all else.

    Compiled training is 1.4 times faster on two cores, and needs a C++ compiler.

    Raises:
        UserError: a number out of range.
    """

    matrix_precision: MatrixPrecision = option(
        "arithmetic of Muon's iteration", default="float32", choices=get_args(MatrixPrecision)
    )
    compiled: bool = option("train through torch.compile", default=False)

    def __post_init__(self) -> None:
        check_settings(self)
