"""Actions: whether they keep the bounds that are declared, and whether they make what happens."""

import numpy as np

from dfplan.data.formats.layout import place
from dfplan.data.inspection.finding import Finding, listed, name_of
from dfplan.data.inspection.steps import FEWEST, change, episodes_of, sampled, step_rows
from dfplan.types import Trajectories

ROUNDING = 1e-4  # of the range
HARDLY = 0.01  # of the range that is used
NUM_SAMPLED = 20_000
NUM_SHUFFLED = 6  # times
BY_CHANCE = 4  # times the most that actions of other rows told; recorded ones tell 15 times as much, or more
LEAST_EXPLAINED = 0.002  # share of the variance of what changes, above what chance explains
ENOUGH_EXPLAINED = 0.05
AGAINST = 0.2  # of the usual effect


def action_rows(data: Trajectories) -> np.ndarray:
    """Rows that hold an action."""
    return np.arange(len(data)) if data.last_actions else step_rows(data)


def find_out_of_bounds(data: Trajectories) -> list[Finding]:
    """Actions that the declared bounds do not allow, and bounds that are hardly used."""
    rows = action_rows(data)
    if data.action_bounds is None or not len(rows):
        return []
    low, high = (each.astype(np.float64) for each in (data.action_bounds.low, data.action_bounds.high))
    acted = data.actions[rows]
    margin = ROUNDING * (high - low)
    outside = (acted < low - margin) | (acted > high + margin)
    if outside.any():
        index, dimension = (int(each) for each in np.argwhere(outside)[0])
        name = name_of(data, dimension, of="action")
        said = (
            f"{name} is {acted[index, dimension]:.4g}, declared are {low[dimension]:.4g} "
            f"to {high[dimension]:.4g}; so are {outside.any(axis=1).mean():.1%} of rows"
        )
        return [Finding("bounds", place(int(rows[index]), data.starts), said, "clip or scale them, or mend the bounds")]
    used = np.abs(acted - (low + high) / 2).max(axis=0) / np.maximum((high - low) / 2, 1e-30)
    if (used < HARDLY).all() and used.any():
        said = f"actions use at most {used.max():.2%} of the range that is declared"
        return [Finding("bounds", "", said, "are they in other units than the bounds?", wrong=False)]
    return []


def find_without_effect(data: Trajectories) -> list[Finding]:
    """Actions that explain no more of what changes than those of other rows do, or the contrary of it in an episode.

    What changes from row to row is fitted by observations and actions on every other block of steps, and told on the
    rest; the same with actions of other rows, some times over. A policy whose actions follow from observations adds
    nothing to these, so actions alone count as well.
    """
    rows = sampled(np.intersect1d(action_rows(data), step_rows(data), assume_unique=True), at_most=NUM_SAMPLED)
    acted = data.actions[rows].astype(np.float64)
    if len(rows) < 10 * FEWEST or not (acted.std(axis=0) > 0).any():
        return []
    moved = _standardised(change(data, rows, slice(None)))
    observed = _standardised(data.observations[rows].astype(np.float64))
    acted = _standardised(acted)
    held_out = (np.arange(len(rows)) * 20 // len(rows)) % 2 == 1
    generator = np.random.default_rng(0)
    others = [acted[generator.permutation(len(acted))] for _ in range(NUM_SHUFFLED)]
    gains = []
    for known in (observed, np.zeros((len(rows), 0))):
        by_chance = np.stack([_explained(known, each, moved, held_out) for each in others])
        gain = _explained(known, acted, moved, held_out) - by_chance.mean(axis=0)
        gains.append((float(gain.max()), float((by_chance - by_chance.mean(axis=0)).max())))
    if all(gain <= BY_CHANCE * by_chance + LEAST_EXPLAINED for gain, by_chance in gains):
        said = (
            f"actions tell {max(0.0, gains[0][0]):.1%} more of what changes from row to row than those of other rows, "
            "as chance does"
        )
        return [Finding("actions", "", said, "are they noise, of other rows, or half of them negated?", wrong=False)]
    if gains[0][0] < ENOUGH_EXPLAINED:
        return []
    return _against_the_rest(data, rows, np.hstack([observed, acted]), moved, num_actions=acted.shape[1])


def _against_the_rest(
    data: Trajectories, rows: np.ndarray, inputs: np.ndarray, moved: np.ndarray, *, num_actions: int
) -> list[Finding]:
    """Episodes in which actions have the contrary effect of what they have in all."""
    weights = _fitted(inputs, moved)
    effect = inputs[:, -num_actions:] @ weights[-num_actions:]
    left = moved - inputs[:, :-num_actions] @ weights[:-num_actions]
    numbers, count = episodes_of(data, rows), len(data.starts) - 1
    together = np.bincount(numbers, weights=(left * effect).sum(axis=1), minlength=count)
    alone = np.bincount(numbers, weights=(effect**2).sum(axis=1), minlength=count)
    enough = np.bincount(numbers, minlength=count) >= FEWEST
    shares = together / np.maximum(alone, 1e-12)
    usual = shares[enough] if enough.any() else shares
    middle = float(np.median(usual))
    against = enough & (shares < AGAINST) & (shares < middle - 6 * float(np.median(np.abs(usual - middle))))
    if not against.any() or against.sum() > 0.4 * enough.sum():
        return []
    share = float(shares[against].mean())
    said = (
        f"actions have {share:.1f} times the effect that they have in all, as in episodes "
        f"{listed(np.flatnonzero(against))} ({against.sum()} of {count})"
    )
    where = place(int(data.starts[np.argmax(against)]), data.starts)
    return [Finding("actions", where, said, "were signs turned, dimensions swapped, or rows lost?", wrong=False)]


def _explained(known: np.ndarray, acted: np.ndarray, moved: np.ndarray, held_out: np.ndarray) -> np.ndarray:
    """Share of the variance of each dimension's change that is told on what is held out, ``(dim,)``."""
    inputs = np.hstack([known, acted])
    weights = _fitted(inputs[~held_out], moved[~held_out])
    left = moved[held_out] - inputs[held_out] @ weights
    variance = np.maximum(moved[held_out].var(axis=0), 1e-12)
    return np.where(moved[held_out].std(axis=0) > 0, 1 - (left**2).mean(axis=0) / variance, 0.0)


def _fitted(inputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Least squares with a little weight on small coefficients, for inputs that say the same."""
    gram = inputs.T @ inputs + 1e-6 * len(inputs) * np.eye(inputs.shape[1])
    return np.linalg.solve(gram, inputs.T @ targets)


def _standardised(values: np.ndarray) -> np.ndarray:
    """Mean 0 and deviation 1, single rows at most ten deviations off; what does not vary is 0."""
    deviation = values.std(axis=0)
    scaled = (values - values.mean(axis=0)) / np.where(deviation > 1e-12, deviation, np.inf)
    return np.clip(scaled, -10, 10)
