"""An interval over trainings and episodes, where several trainings met the same episodes."""

from math import sqrt

import numpy as np

from dfplan.evaluation.metrics import Estimate


def crossed_interval(values: np.ndarray) -> Estimate:
    """Mean of ``values`` ``(seeds, episodes)`` with an interval over both: other trainings and other episodes.

    Every training seed met the same episodes, so a value is mean + seed + episode + rest, three independent random
    parts. With MS the mean squares of that two-way table, the variance of the grand mean is
    ``(MS_seeds + MS_episodes - MS_rest) / values.size``; its degrees of freedom are Satterthwaite's (Biometrics
    Bulletin 2, 1946, p. 110). Where only seeds or only episodes differ, it is the ordinary t interval over them.

    Raises:
        ValueError: fewer than 2 seeds or 2 episodes.
    """
    seeds, episodes = values.shape
    if min(seeds, episodes) < 2:
        raise ValueError(f"an interval over seeds and episodes needs at least 2 of each; got {seeds} and {episodes}")
    mean, seed_means, episode_means = values.mean(), values.mean(axis=1), values.mean(axis=0)
    rest = values - seed_means[:, None] - episode_means[None] + mean
    freedom = np.array([seeds - 1, episodes - 1, (seeds - 1) * (episodes - 1)])
    squares = np.array([episodes * seed_means.var(), seeds * episode_means.var(), rest.var()])
    squares *= np.array([seeds, episodes, seeds * episodes]) / freedom
    # No part may count as less than nothing: with few seeds the difference can fall below the rest by chance.
    total = max(squares[0] + squares[1] - squares[2], squares[2])
    if total == 0:
        return Estimate(float(mean), float(mean), float(mean))
    degrees = np.clip(total**2 / (squares**2 / freedom).sum(), freedom.min(), values.size - 1)
    half = t_quantile_95(float(degrees)) * sqrt(total / values.size)
    return Estimate(float(mean), float(mean - half), float(mean + half))


def t_quantile_95(degrees: float) -> float:
    """Two-sided 95 % quantile of Student's t, for 1 or more degrees of freedom.

    With ``t = sqrt(degrees) * tan(angle)`` the density is proportional to ``cos(angle) ** (degrees - 1)``, which a
    trapezoidal sum integrates.
    """
    angles = np.linspace(0, np.pi / 2, 20_001)
    density = np.cos(angles) ** (degrees - 1)
    share = np.concatenate([[0.0], np.cumsum(density[1:] + density[:-1])])
    return sqrt(degrees) * float(np.tan(np.interp(0.95, share / share[-1], angles)))
