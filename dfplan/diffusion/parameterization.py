"""What a network predicts (clean values, noise, or velocity) and how one turns into another."""

from dataclasses import dataclass

import torch
from torch import Tensor

from dfplan.diffusion.schedule import Schedule
from dfplan.errors import UserError

_KINDS = ("clean", "noise", "velocity")


@dataclass(frozen=True)
class Parameterization:
    """A prediction target together with the schedule that gives it meaning.

    ``velocity`` is ``noise - clean`` on the straight path (rectified flow) and ``alpha * noise - sigma * clean`` on
    variance-preserving schedules (arXiv 2202.00512, appendix D): both are the derivative of the path.

    Args:
        kind: ``clean``, ``noise`` or ``velocity``.
        schedule: the noise schedule.

    Raises:
        UserError: unknown kind, or ``noise`` with a schedule that ends in pure noise, where the clean value cannot be
            recovered from the noise.
    """

    kind: str
    schedule: Schedule

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise UserError(f"unknown prediction {self.kind!r}; choose one of {', '.join(_KINDS)}")
        if self.kind == "noise" and self.schedule.ends_in_pure_noise:
            raise UserError(
                f"prediction 'noise' cannot recover clean values at level 1 of schedule {self.schedule.name!r}, which "
                "ends in pure noise; use prediction 'velocity' or 'clean', or schedule 'ddpm'"
            )

    def _velocity_weights(self, level: Tensor) -> tuple[Tensor, Tensor]:
        """Weights (on noise, on clean) of the velocity."""
        if self.schedule.variance_preserving:
            return self.schedule(level)
        return torch.ones_like(level), torch.ones_like(level)

    def target(self, clean: Tensor, noise: Tensor, *, level: Tensor) -> Tensor:
        """What the network should predict; all shapes as in :func:`~dfplan.diffusion.schedule.add_noise`."""
        match self.kind:
            case "clean":
                return clean
            case "noise":
                return noise
            case _:
                on_noise, on_clean = self._velocity_weights(level)
                return on_noise * noise - on_clean * clean

    def to_clean(self, prediction: Tensor, noisy: Tensor, *, level: Tensor) -> Tensor:
        """Clean values implied by a prediction."""
        alpha, sigma = self.schedule(level)
        match self.kind:
            case "clean":
                return prediction
            case "noise":
                return (noisy - sigma * prediction) / alpha
            case _:
                on_noise, on_clean = self._velocity_weights(level)
                return (on_noise * noisy - sigma * prediction) / (on_noise * alpha + on_clean * sigma)

    def clean_error_per_prediction_error(self, level: Tensor) -> Tensor:
        """How far the clean value moves when the prediction moves by one; turns loss weights between targets."""
        alpha, sigma = self.schedule(level)
        match self.kind:
            case "clean":
                return torch.ones_like(level)
            case "noise":
                return sigma / alpha
            case _:
                on_noise, on_clean = self._velocity_weights(level)
                return sigma / (on_noise * alpha + on_clean * sigma)
