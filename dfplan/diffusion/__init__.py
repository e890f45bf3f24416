"""Pure tensor maths of diffusion with a noise level per token."""

from typing import Any

from dfplan.diffusion.levels import loss_weights, sample_levels
from dfplan.diffusion.matrices import autoregressive_matrix, full_sequence_matrix, pyramid_matrix, validate_matrix
from dfplan.diffusion.parameterization import Parameterization
from dfplan.diffusion.schedule import Schedule, add_noise
from dfplan.diffusion.step import reverse_step

__all__ = [
    "Parameterization",
    "Schedule",
    "add_noise",
    "autoregressive_matrix",
    "full_sequence_matrix",
    "loss_weights",
    "pyramid_matrix",
    "reverse_step",
    "sample_levels",
    "validate_matrix",
]


def __getattr__(name: str) -> Any:
    """``sloped_matrix(..., slope=)``, as scripts from before call the pyramid and its offset."""
    if name != "sloped_matrix":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return lambda num_tokens, *, num_levels, slope: pyramid_matrix(num_tokens, num_levels=num_levels, offset=slope)
