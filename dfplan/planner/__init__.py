"""Sampling, guidance and planning with a trained model."""

from dfplan.planner.planner import Planner, PlannerSettings
from dfplan.planner.sampler import Guidance, Sampling, sample_tokens

__all__ = ["Guidance", "Planner", "PlannerSettings", "Sampling", "sample_tokens"]
