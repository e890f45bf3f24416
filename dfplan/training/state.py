"""What changes while a task trains: weights, their average, optimizers, loss scale, step and running means."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import Tensor

from dfplan.errors import UserError
from dfplan.settings.training import Device, Parallel, Precision
from dfplan.training.checkpoint import (
    load_optimizer_tensors,
    optimizer_settings,
    optimizer_tensors,
    under_prefix,
    with_prefix,
)
from dfplan.training.ema import WeightAverage
from dfplan.training.log import RunningMeans
from dfplan.training.sharding import explained, shard, shares_of, shares_of_state, whole
from dfplan.training.task import Task


def build_accelerator(*, precision: Precision, device: Device) -> Accelerator:
    """Return accelerate's view of devices, processes and autocast for one training."""
    # accelerate keeps precision and device for the life of the process; a second training may want others.
    AcceleratorState._reset_state(reset_partial_state=not torch.distributed.is_initialized())
    accelerator = Accelerator(mixed_precision=precision, cpu=device == "cpu")
    if precision == "fp16" and accelerator.scaler is None:
        raise UserError(f"precision=fp16 needs a GPU, and this is {accelerator.device.type}; use bf16 or no")
    return accelerator


class TrainingState:
    """Holds the state, saves and restores all of it, and applies gradients to it.

    Args:
        task: its modules are moved to the device here.
        precision: of autocast.
        device: ``auto`` or ``cpu``.
        ema_decay: of the averaged weights.
        parallel: whether each of several processes holds all weights, or a share.

    Attributes:
        sharded: whether this process holds a share; what is then computed or written is so by all processes together.
    """

    def __init__(
        self, task: Task, *, precision: Precision, device: Device, ema_decay: float, parallel: Parallel = "ddp"
    ) -> None:
        self.accelerator = build_accelerator(precision=precision, device=device)
        for module in task.modules.values():
            module.to(self.accelerator.device).train()
        self.sharded = parallel == "fsdp" and self.accelerator.num_processes > 1
        if self.sharded:
            self._shard(task)
        self.average = WeightAverage(task.modules, ema_decay=ema_decay)
        self.parameters = [each for each in self.average.live.parameters() if each.requires_grad]
        self.optimizers = task.configure_optimizers()
        self.peak_rates = [[group["lr"] for group in each.param_groups] for each in self.optimizers]
        self.means = RunningMeans()
        self.step = 0

    def _shard(self, task: Task) -> None:
        if self.accelerator.scaler is not None:
            raise UserError("training.parallel=fsdp trains in bf16 or no lower precision, not in precision=fp16")
        shard(task.modules, device=self.accelerator.device, num_processes=self.accelerator.num_processes)

    @contextmanager
    def explaining(self) -> Iterator[None]:
        """Within the block, say in one line what a task does that sharing weights out does not allow."""
        try:
            yield
        except RuntimeError as error:
            if self.sharded:
                raise explained(error) from error
            raise

    @property
    def learning_rate(self) -> float:
        """The current learning rate of the first group."""
        return self.optimizers[0].param_groups[0]["lr"]

    def optimizer_settings(self) -> list[list[dict[str, Any]]]:
        """Return, per optimizer and group, what decides its updates."""
        return [
            [group | {"peak_learning_rate": rate} for group, rate in zip(optimizer_settings(each), rates, strict=True)]
            for each, rates in zip(self.optimizers, self.peak_rates, strict=True)
        ]

    def update(self, *, rate_factor: float, gradient_clip: float | None) -> None:
        """Apply the accumulated gradients and count the step."""
        self._average_gradients()
        scaler = self.accelerator.scaler
        for optimizer, rates in zip(self.optimizers, self.peak_rates, strict=True):
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * rate_factor
            if scaler is not None:
                scaler.unscale_(optimizer)
        limit = math.inf if gradient_clip is None else gradient_clip
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, limit)
        # Not accelerate's wrapped optimizers: with two of them they unscale the second one's gradients twice.
        for optimizer in self.optimizers:
            if scaler is not None:
                scaler.step(optimizer)
            else:
                optimizer.step()
            optimizer.zero_grad()
        if scaler is not None:
            scaler.update()
        self.means.add({"gradient_norm": whole(norm)})
        self.average.update()
        self.step += 1

    def _average_gradients(self) -> None:
        """Average over processes, all gradients in one message."""
        if self.accelerator.num_processes == 1 or self.sharded:  # FSDP has averaged them
            return
        gradients = [each.grad for each in self.parameters if each.grad is not None]
        flat = torch.cat([each.flatten() for each in gradients])
        flat = self.accelerator.reduce(flat, reduction="mean")
        for gradient, mean in zip(gradients, flat.split([each.numel() for each in gradients]), strict=True):  # type: ignore[union-attr]
            gradient.copy_(mean.view_as(gradient))

    def _average_means(self) -> None:
        """Average the running totals over processes; doing it twice changes nothing."""
        if self.accelerator.num_processes > 1 and self.means.totals:
            totals = torch.tensor([float(each) for each in self.means.totals.values()], device=self.accelerator.device)
            totals = self.accelerator.reduce(totals, reduction="mean")
            self.means.totals = dict(zip(self.means.totals, totals.tolist(), strict=True))  # type: ignore[union-attr]

    def check_finite(self) -> None:
        """Stop a training whose loss or gradient has become NaN or infinite.

        Raises:
            UserError: it has; fp16 may overflow its gradients, which only skips a step.
        """
        self._average_means()
        watched = ("loss",) if self.accelerator.scaler is not None else ("loss", "gradient_norm")
        for name, mean in self.means.means().items():
            if name in watched and not math.isfinite(mean):
                raise UserError(
                    f"the {name} became {mean} by step {self.step}; nothing after the last checkpoint is kept; "
                    "lower the learning rate, warm up longer, clip more, or look for bad values in the data"
                )

    def tensors(self) -> dict[str, Tensor]:
        """Return every tensor that a checkpoint holds, whole; of shared weights, all processes must ask for it."""
        tensors = with_prefix("modules", self.average.live.state_dict())
        tensors |= with_prefix("average", self.average.tensors())
        for index, optimizer in enumerate(self.optimizers):
            tensors |= with_prefix(f"optimizer.{index}", optimizer_tensors(optimizer))
        return {name: whole(tensors[name]) for name in sorted(tensors)}  # all processes gather in the same order

    def description(self) -> dict[str, Any]:
        """Return, as JSON, the rest of what a checkpoint holds."""
        scaler = self.accelerator.scaler
        return {
            "step": self.step,
            "means": self.means.state(),
            "scaler": scaler.state_dict() if scaler is not None else None,
            "torch": torch.__version__,
            "device": self.accelerator.device.type,
            "num_processes": self.accelerator.num_processes,
        }

    def load(self, step: int, tensors: Mapping[str, Tensor], description: Mapping[str, Any]) -> None:
        """Restore a checkpoint.

        Raises:
            UserError: it holds other modules than this task has.
        """
        try:
            live = self.average.live
            live.load_state_dict(shares_of(under_prefix("modules", tensors), live.state_dict()))
            self.average.load(under_prefix("average", tensors), num_updates=step)
            for index, optimizer in enumerate(self.optimizers):
                own = under_prefix(f"optimizer.{index}", tensors)
                load_optimizer_tensors(optimizer, shares_of_state(own, optimizer))
        except (RuntimeError, KeyError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise UserError(f"the checkpoint is of another model than this one: {reason}") from error
        if self.accelerator.scaler is not None and description["scaler"] is not None:
            self.accelerator.scaler.load_state_dict(description["scaler"])
        self.means.load_state(description["means"])
        self.step = step
