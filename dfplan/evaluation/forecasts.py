"""How good forecasts are that are samples of futures."""

import numpy as np

QUANTILES = np.arange(1, 20) / 20  # as GluonTS's evaluator has them for the tables of the literature


def crps(futures: np.ndarray, truth: np.ndarray) -> float:
    """Continuous ranked probability score, normalised: the mean over quantiles of their weighted losses.

    Of quantile ``q`` it is ``2 Σ |(x_q - x) (1[x <= x_q] - q)| / Σ |x|`` over all that is forecast (Salinas et al.,
    arXiv 1910.03002, section 5.2, as GluonTS computes ``mean_wQuantileLoss``). Less is better; 0 is the truth itself.

    Args:
        futures: ``(forecasts, futures, steps, dim)``.
        truth: ``(forecasts, steps, dim)``.
    """
    at = np.quantile(futures, QUANTILES, axis=1)  # (quantiles, forecasts, steps, dim)
    levels = QUANTILES.reshape(-1, *[1] * truth.ndim)
    losses = 2 * np.abs((at - truth) * ((truth <= at) - levels))
    return float(losses.sum(axis=tuple(range(1, losses.ndim))).mean() / np.abs(truth).sum())


def crps_sum(futures: np.ndarray, truth: np.ndarray) -> float:
    """:func:`crps` of the sum of all series, which tells whether they are forecast together (arXiv 1910.03002)."""
    return crps(futures.sum(axis=-1, keepdims=True), truth.sum(axis=-1, keepdims=True))


def displacement_errors(futures: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and last distance of the best of several futures from the truth, each the least (ADE and FDE, best of N).

    As Social GAN has them (arXiv 1803.10892, section 4.1): the best by the mean and the best at the end need not be
    the same.

    Args:
        futures: ``(forecasts, futures, steps, dim)``.
        truth: ``(forecasts, steps, dim)``.

    Returns:
        ``(forecasts,)`` each, in the units of the series.
    """
    apart = np.linalg.norm(futures - truth[:, None], axis=-1)
    return apart.mean(axis=-1).min(axis=1), apart[..., -1].min(axis=1)


def score(futures: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """All measures of forecasts ``(forecasts, futures, steps, dim)`` by their names, means over forecasts."""
    mean, last = displacement_errors(futures, truth)
    return {
        "crps": crps(futures, truth),
        "crps_sum": crps_sum(futures, truth),
        "ade": float(mean.mean()),
        "fde": float(last.mean()),
    }


def random_walk(history: np.ndarray, *, num_steps: int, num_futures: int, generator: np.random.Generator) -> np.ndarray:
    """Futures that go on by changes drawn from the ``history`` ``(rows, dim)``, with no drift."""
    changes = np.diff(history, axis=0) if len(history) > 1 else np.zeros((1, history.shape[1]))
    drawn = (changes - changes.mean(axis=0))[generator.integers(len(changes), size=(num_futures, num_steps))]
    return history[-1] + np.cumsum(drawn, axis=1)


def last_value(history: np.ndarray, *, num_steps: int, num_futures: int, generator: np.random.Generator) -> np.ndarray:
    """One future in which nothing changes any more."""
    return np.broadcast_to(history[-1], (1, num_steps, history.shape[1])).copy()


def constant_velocity(
    history: np.ndarray, *, num_steps: int, num_futures: int, generator: np.random.Generator
) -> np.ndarray:
    """One future in which the last change goes on."""
    change = history[-1] - history[-2] if len(history) > 1 else np.zeros(history.shape[1])
    return (history[-1] + change * np.arange(1, num_steps + 1)[:, None])[None]


# What forecasts are held against, that learns nothing: functions of a history, of which the last two give one future.
RIVALS = {"random walk": random_walk, "last value": last_value, "constant velocity": constant_velocity}
