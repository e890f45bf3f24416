"""Pure tensor maths of diffusion with a noise level per token."""

from dfplan.diffusion.levels import loss_weights, sample_levels
from dfplan.diffusion.matrices import autoregressive_matrix, full_sequence_matrix, sloped_matrix, validate_matrix
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
    "reverse_step",
    "sample_levels",
    "sloped_matrix",
    "validate_matrix",
]
