"""Denoisers behind one contract."""

from dfplan.models.denoiser import Denoiser, DenoiserState
from dfplan.models.forcing_model import ForcingModel, build_denoiser, load_forcing_model
from dfplan.models.rnn import RecurrentDenoiser
from dfplan.models.transformer import TransformerDenoiser

__all__ = [
    "Denoiser",
    "DenoiserState",
    "ForcingModel",
    "RecurrentDenoiser",
    "TransformerDenoiser",
    "build_denoiser",
    "load_forcing_model",
]
