"""Muon with its iteration in the precision that this processor multiplies fastest."""

import time
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, cast

import torch
from torch import Tensor, nn

from dfplan.settings.training import MatrixPrecision
from dfplan.training.sharding import share_of, whole

_TRIAL_SIZE = 256  # about the size of a block's matrices
_TRIALS = 3


class Muon(torch.optim.Muon):
    """torch's Muon, whose Newton-Schulz iteration may run in float32; matrices of one shape are iterated side by side.

    torch's runs in bfloat16 (Jordan et al., 2024, "Muon: an optimizer for hidden layers"), which processors without
    instructions for it multiply some 60 times slower than float32. State and settings are those of torch's.

    Args:
        params: matrices.
        matrix_precision: of the iteration.
        options: of ``torch.optim.Muon``.
    """

    def __init__(self, params: Iterable[nn.Parameter], *, matrix_precision: MatrixPrecision, **options: Any) -> None:
        super().__init__(list(params), **options)
        self._dtype = getattr(torch, matrix_precision)

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Do one update; returns what ``closure`` returns."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            self._step_group(group)
        return loss

    def _step_group(self, group: dict[str, Any]) -> None:
        parameters: list[Tensor] = []
        gradients: list[Tensor] = []
        momenta: list[Tensor] = []
        self._init_group(group, parameters, gradients, momenta)
        alike: dict[torch.Size, list[tuple[Tensor, Tensor]]] = defaultdict(list)
        for parameter, gradient, momentum in zip(parameters, gradients, momenta, strict=True):
            momentum.lerp_(gradient, 1 - group["momentum"])
            update = gradient.lerp(momentum, group["momentum"]) if group["nesterov"] else momentum
            alike[parameter.shape].append((parameter, update))
        for shape, pairs in alike.items():
            directions = orthogonalized(
                torch.stack([whole(update) for _, update in pairs]),
                dtype=self._dtype,
                coefficients=group["ns_coefficients"],
                num_iterations=group["ns_steps"],
                eps=group["eps"],
            )
            rate = group["lr"] * _rate_factor(group["adjust_lr_fn"], shape)
            for (parameter, _), direction in zip(pairs, directions, strict=True):
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.add_(share_of(direction, parameter), alpha=-rate)


def _rate_factor(kind: str | None, shape: torch.Size) -> float:
    """How the learning rate depends on the shape of a matrix, as torch.optim.Muon has it."""
    if kind == "match_rms_adamw":
        return 0.2 * max(shape) ** 0.5
    return max(1, shape[0] / shape[1]) ** 0.5


def orthogonalized(
    matrices: Tensor, *, dtype: torch.dtype, coefficients: tuple[float, float, float], num_iterations: int, eps: float
) -> Tensor:
    """Matrices ``[batch, rows, columns]`` with singular values brought near 1, by a quintic Newton-Schulz iteration.

    Coefficients and normalisation are those of torch.optim.Muon, one matrix at a time.
    """
    a, b, c = coefficients
    tall = matrices.shape[1] > matrices.shape[2]
    found = (matrices.mT if tall else matrices).to(dtype)
    found = found / found.flatten(1).norm(dim=1)[:, None, None].clamp(min=eps)
    for _ in range(num_iterations):
        gram = found @ found.mT
        found = torch.baddbmm(found, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), found, beta=a)
    return found.mT if tall else found


def fastest_precision(device: torch.device) -> MatrixPrecision:
    """The precision in which this device multiplies matrices faster, by a trial of some milliseconds."""
    if device.type != "cpu":
        return "bfloat16"
    seconds = {name: _seconds_of_product(getattr(torch, name)) for name in ("float32", "bfloat16")}
    return cast(MatrixPrecision, min(seconds, key=lambda name: seconds[name]))


def _seconds_of_product(dtype: torch.dtype) -> float:
    matrix = torch.ones(_TRIAL_SIZE, _TRIAL_SIZE, dtype=dtype)
    seconds = []
    for _ in range(_TRIALS):
        started = time.perf_counter()
        torch.mm(matrix, matrix)
        seconds.append(time.perf_counter() - started)
    return min(seconds)
