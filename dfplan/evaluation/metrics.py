"""What one set of roll-outs says: scores per episode, and their means with 95 % intervals."""

from dataclasses import dataclass
from math import sqrt

import numpy as np

INTERVAL = "95 %: percentile bootstrap over episodes; Wilson for success_rate"
Z_95 = 1.959963984540054  # two-sided 95 % quantile of the normal distribution


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % interval. None where there is nothing to average, or one value alone (no interval)."""

    mean: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class EpisodeScores:
    """What each episode earned; every array is ``(episodes,)``.

    Attributes:
        raw_return: sum of the rewards. The environment pays for the state after each step.
        normalized_return: D4RL score x 100. 100 is the return of a flawed reference run, not a ceiling.
        latched_normalized_return: the same where every step from the first touch on pays 1, even if the agent leaves.
        success: True where the goal was ever touched.
        first_touch_step: steps taken until the first touch (1 = at once); NaN where the goal was never touched.
    """

    raw_return: np.ndarray
    normalized_return: np.ndarray
    latched_normalized_return: np.ndarray
    success: np.ndarray
    first_touch_step: np.ndarray


def score_episodes(
    rewards: np.ndarray, *, at_goal: np.ndarray, reference_min: float, reference_max: float
) -> EpisodeScores:
    """Score episodes by all protocols in use, from the same steps.

    Args:
        rewards: ``(episodes, steps)`` what the environment paid after each step.
        at_goal: ``(episodes, steps)`` bool, True where the agent was within the goal radius after the step.
        reference_min: D4RL's raw return of a random policy, score 0.
        reference_max: D4RL's raw return of its reference controller, score 100.
    """
    if rewards.ndim != 2 or rewards.shape != at_goal.shape:
        raise ValueError(
            "rewards and at_goal must both have shape (episodes, steps); "
            f"got {list(rewards.shape)} and {list(at_goal.shape)}"
        )

    def normalize(returns: np.ndarray) -> np.ndarray:
        return 100 * (returns - reference_min) / (reference_max - reference_min)

    touched = np.logical_or.accumulate(at_goal, axis=1)
    success = np.asarray(at_goal.any(axis=1))
    raw_return = rewards.sum(axis=1, dtype=np.float64)
    latched_return = np.where(touched, 1.0, rewards).sum(axis=1, dtype=np.float64)
    return EpisodeScores(
        raw_return=raw_return,
        normalized_return=normalize(raw_return),
        latched_normalized_return=normalize(latched_return),
        success=success,
        first_touch_step=np.where(success, at_goal.argmax(axis=1) + 1, np.nan),
    )


def summarize(scores: EpisodeScores) -> dict[str, Estimate]:
    """Mean and 95 % interval of every score; ``first_touch_step`` averages only the episodes that touched the goal."""
    touched = scores.first_touch_step[scores.success]
    return {
        "raw_return": mean_interval(scores.raw_return),
        "normalized_return": mean_interval(scores.normalized_return),
        "latched_normalized_return": mean_interval(scores.latched_normalized_return),
        "success_rate": wilson_interval(scores.success),
        "first_touch_step": mean_interval(touched),
    }


def mean_interval(values: np.ndarray, *, seed: int = 0, num_resamples: int = 4000) -> Estimate:
    """Mean of ``values`` ``(n,)`` with the percentile bootstrap interval; the seed makes it repeatable."""
    if len(values) == 0:
        return Estimate(None, None, None)
    mean = float(np.mean(values))
    if len(values) == 1:
        return Estimate(mean, None, None)
    generator = np.random.default_rng(seed)
    # One resample at a time: a matrix of all of them would grow with the number of episodes.
    means = [np.mean(values[generator.integers(len(values), size=len(values))]) for _ in range(num_resamples)]
    low, high = np.quantile(means, [0.025, 0.975])
    return Estimate(mean, float(low), float(high))


def wilson_interval(successes: np.ndarray) -> Estimate:
    """Share of True in ``successes`` ``(n,)`` with Wilson's score interval, which stays honest at 0 and 100 %."""
    n = len(successes)
    if n == 0:
        return Estimate(None, None, None)
    rate = float(np.mean(successes))
    spread = Z_95**2 / n
    center = (rate + spread / 2) / (1 + spread)
    half = sqrt(spread * (rate * (1 - rate) + spread / 4)) / (1 + spread)
    return Estimate(rate, max(0.0, center - half), min(1.0, center + half))
