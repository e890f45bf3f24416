"""Fréchet distance between two sets of features, as FID has it, in closed form and in NumPy alone."""

import numpy as np


def frechet_distance(features: np.ndarray, other: np.ndarray) -> float:
    """Return the squared Fréchet distance between Gaussians fitted to two sets of feature vectors.

    Squared, as the "Fréchet inception distance" is (Heusel et al. 2017, arXiv 1706.08500, section 3).

    Args:
        features: ``[count, dim]``.
        other: ``[another count, dim]``.

    Raises:
        ValueError: fewer than two vectors, or vectors of different lengths.
    """
    for each in (features, other):
        if each.ndim != 2 or len(each) < 2 or each.shape[1] != features.shape[1]:
            raise ValueError(f"needs two sets of at least 2 vectors each; got {features.shape} and {other.shape}")
    first, second = (each.astype(np.float64) for each in (features, other))
    return gaussian_frechet_distance(
        first.mean(axis=0), np.atleast_2d(np.cov(first.T)), second.mean(axis=0), np.atleast_2d(np.cov(second.T))
    )


def gaussian_frechet_distance(
    mean: np.ndarray, covariance: np.ndarray, other_mean: np.ndarray, other_covariance: np.ndarray
) -> float:
    """Return ``|m1 - m2|^2 + tr(C1 + C2 - 2 (C1^(1/2) C2 C1^(1/2))^(1/2))`` (Dowson and Landau 1982).

    The product under the root is symmetric, so its root needs eigenvalues of symmetric matrices alone.

    Args:
        mean: ``[dim]``.
        covariance: ``[dim, dim]``, symmetric and positive semi-definite.
        other_mean: ``[dim]``.
        other_covariance: ``[dim, dim]``.
    """
    values, vectors = np.linalg.eigh(covariance)
    root = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
    trace_of_root = np.sqrt(np.linalg.eigvalsh(root @ other_covariance @ root).clip(min=0)).sum()
    apart = np.square(mean - other_mean).sum()
    return float(apart + np.trace(covariance) + np.trace(other_covariance) - 2 * trace_of_root)
