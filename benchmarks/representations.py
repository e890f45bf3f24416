"""What a representation knows and which one it resembles: linear and nearest-neighbour probes, CKNNA."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ProbeResult:
    """How well held-out targets are read from features.

    Attributes:
        r2: share of the targets' variance that is explained, over all dimensions; 1 is perfect, 0 is their mean.
        errors: ``(samples,)`` Euclidean distance between what is read and the truth, in the units of the targets.
    """

    r2: float
    errors: np.ndarray

    @property
    def median(self) -> float:
        """Median error."""
        return float(np.median(self.errors))

    @property
    def p95(self) -> float:
        """Error that 95 % of the samples stay below."""
        return float(np.quantile(self.errors, 0.95))


def linear_probe(
    features: np.ndarray, targets: np.ndarray, *, held_out: np.ndarray, held_out_targets: np.ndarray
) -> ProbeResult:
    """Fit an affine map by least squares on one part and read the other with it (arXiv 1610.01644, section 3).

    Args:
        features: ``(samples, dim)`` to fit on; several times more samples than dimensions.
        targets: ``(samples, target_dim)``.
        held_out: ``(others, dim)``.
        held_out_targets: ``(others, target_dim)``.
    """
    mean, std = features.mean(axis=0), np.maximum(features.std(axis=0), 1e-6)

    def with_one(values: np.ndarray) -> np.ndarray:
        return np.concatenate([(values - mean) / std, np.ones((len(values), 1))], axis=1, dtype=np.float64)

    solution = np.linalg.lstsq(with_one(features), targets.astype(np.float64), rcond=1e-6)[0]
    return _result(with_one(held_out) @ solution, held_out_targets)


def nearest_neighbour_probe(
    features: np.ndarray, targets: np.ndarray, *, held_out: np.ndarray, held_out_targets: np.ndarray, k: int = 3
) -> ProbeResult:
    """Read held-out targets as the mean of those of the ``k`` nearest features; arguments as :func:`linear_probe`."""
    squared = (held_out**2).sum(axis=1)[:, None] + (features**2).sum(axis=1) - 2 * held_out @ features.T
    nearest = np.argpartition(squared, k, axis=1)[:, :k]
    return _result(targets[nearest].mean(axis=1), held_out_targets)


def _result(read: np.ndarray, truth: np.ndarray) -> ProbeResult:
    unexplained = np.square(read - truth).sum() / np.square(truth - truth.mean(axis=0)).sum()
    return ProbeResult(r2=float(1 - unexplained), errors=np.linalg.norm(read - truth, axis=1))


def cknna(one: np.ndarray, other: np.ndarray, *, k: int = 10) -> float:
    """How alike two representations of the same samples are in their mutual nearest neighbours (CKNNA).

    Centred kernel nearest-neighbour alignment, arXiv 2405.07987, appendix A: centred kernel alignment (CKA) whose sums
    run over those pairs alone that are among the ``k`` nearest neighbours of each other's first sample in both
    representations. 1 for the same representation up to rotation and scale; about ``k / samples`` for unrelated ones.
    Features are centred and brought to length 1 first, so that the kernel is a cosine.

    Args:
        one: ``(samples, dim)``.
        other: ``(samples, another dim)``.
        k: neighbours, fewer than samples.
    """
    kernels = [_cosine_kernel(each) for each in (one, other)]
    neighbours = [_neighbours(each, k) for each in kernels]
    centred = [each - each.mean(axis=1, keepdims=True) for each in kernels]

    def alignment(i: int, j: int) -> float:
        return float((centred[i] * centred[j])[neighbours[i] & neighbours[j]].sum())

    scale = alignment(0, 0) * alignment(1, 1)
    return alignment(0, 1) / float(np.sqrt(scale)) if scale > 0 else 0.0


def _cosine_kernel(features: np.ndarray) -> np.ndarray:
    centred = features.astype(np.float64) - features.mean(axis=0, dtype=np.float64)
    unit = centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)
    return unit @ unit.T


def _neighbours(kernel: np.ndarray, k: int) -> np.ndarray:
    """``(samples, samples)`` bool: whether the second sample is among the ``k`` most similar of the first's others."""
    similarity = kernel.copy()
    np.fill_diagonal(similarity, -np.inf)
    nearest = np.argpartition(-similarity, k - 1, axis=1)[:, :k]
    mask = np.zeros(kernel.shape, dtype=bool)
    np.put_along_axis(mask, nearest, True, axis=1)
    return mask
