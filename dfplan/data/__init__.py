"""Recorded trajectories: generation, readers that all give the same class, and windows of them."""
