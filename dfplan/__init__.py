"""Diffusion planning made usable: train on offline data, plan with guidance, act in a receding horizon."""

__version__ = "0.1.0"
