"""Statistics over few runs of several tasks, after Agarwal et al., arXiv 2108.13264 (their code: rliable/metrics.py).

A sample comes as strata: one array a task (robot, training seed), whose first axis are the runs (episodes). Strata are
resampled each by itself, so that no resample holds more of an easy task than the sample does. What belongs together,
such as the scores of two agents on the same episode, stands in one row ``(runs, 2)`` and is drawn together.
"""

from collections.abc import Callable, Sequence

import numpy as np

from dfplan.evaluation.metrics import Estimate

Strata = Sequence[np.ndarray]
NUM_RESAMPLES = 2000


def stratified_bootstrap(
    strata: Strata,
    statistic: Callable[[Strata], float],
    *,
    seed: int = 0,
    num_resamples: int = NUM_RESAMPLES,
    coverage: float = 0.95,
) -> Estimate:
    """A statistic of the sample with its percentile bootstrap interval (section 4.1); the seed makes it repeatable.

    Args:
        strata: arrays ``(runs, ...)``, not all of the same number of runs.
        statistic: a number from strata.
        seed: of the resamples.
        num_resamples: how many.
        coverage: of the interval.

    Returns:
        The interval is None where no stratum has two runs; all is None where a stratum is empty, or there is none.
    """
    if not strata or min(len(stratum) for stratum in strata) == 0:
        return Estimate(None, None, None)
    found = float(statistic(strata))
    if max(len(stratum) for stratum in strata) == 1:
        return Estimate(found, None, None)
    generator = np.random.default_rng(seed)
    resampled = [
        statistic([stratum[generator.integers(len(stratum), size=len(stratum))] for stratum in strata])
        for _ in range(num_resamples)
    ]
    low, high = np.quantile(resampled, [(1 - coverage) / 2, (1 + coverage) / 2])
    return Estimate(found, float(low), float(high))


def stratified_mean(strata: Strata) -> float:
    """Mean over the strata of their means: every task weighs the same."""
    return float(np.mean([np.mean(stratum) for stratum in strata]))


def interquartile_mean(strata: Strata) -> float:
    """Mean of the middle half of all runs of all strata: a quarter of them, rounded down, is cut off at either end."""
    values = np.sort(np.concatenate([np.ravel(stratum) for stratum in strata]))
    cut = len(values) // 4
    return float(values[cut : len(values) - cut].mean())


def probability_of_improvement(strata: Strata) -> float:
    """Chance that a run of the first agent beats another run, of the second, on the same task; ties count half.

    The mean over strata of the Mann-Whitney statistic, divided by the number of pairs of runs (section 4.3).

    Args:
        strata: arrays ``(runs, 2)``: scores of the first agent and of the second.
    """
    return float(np.mean([_share_of_pairs_won(stratum[:, 0], stratum[:, 1]) for stratum in strata]))


def _share_of_pairs_won(first: np.ndarray, second: np.ndarray) -> float:
    ordered = np.sort(second)
    below, up_to = (np.searchsorted(ordered, first, side=side) for side in ("left", "right"))
    return float((below + up_to).mean() / (2 * len(ordered)))


def performance_profile(strata: Strata, thresholds: np.ndarray) -> np.ndarray:
    """Share of runs above each of ``thresholds`` ``(n,)``, averaged over strata, ``(n,)`` (section 4.2)."""
    return np.mean([(np.ravel(stratum)[:, None] > thresholds).mean(axis=0) for stratum in strata], axis=0)
