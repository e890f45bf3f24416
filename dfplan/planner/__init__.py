"""Sampling, guidance and planning with a trained model."""

from dfplan.planner.planner import Planner
from dfplan.planner.sampler import Denoised, Guidance, Sampling, sample_tokens
from dfplan.planner.settings import PlannerSettings

__all__ = ["Denoised", "Guidance", "Planner", "PlannerSettings", "Sampling", "sample_tokens"]
