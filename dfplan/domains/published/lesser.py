"""Lesser policies of a published one: its weights disturbed until it earns a wanted share of what it did.

Noise on an expert's actions would be averaged away by whoever learns from them; wrong weights are wrong again and again
in the same places. So a policy is taken only if its mean actions are no better than the share that is wanted, either.
And it has to be steady: one whose episodes differ so much that their mean says little is passed over.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dfplan.domains.published.policy import Policy
from dfplan.errors import UserError

WEAKEST = 0.002  # disturbance that is tried, in standard deviations of a layer's weights
NUM_HALVINGS, MOST_DIRECTIONS = 7, 30
FEW, MANY, MOST = 3, 10, 40  # episodes of a first look, of a decision, and of one that these leave open
LEEWAY = 1.1  # by which the mean actions may be above the wanted share

# Scores of episodes ``(episodes,)``: of a policy, how many, and whether its actions are sampled.
Trial = Callable[[Policy, int, bool], np.ndarray]


@dataclass(frozen=True)
class Band:
    """Shares of the expert's score, both ends included."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"{100 * self.low:g} to {100 * self.high:g} %"


@dataclass(frozen=True)
class Lesser:
    """A policy that was found.

    Attributes:
        policy: what drives.
        strength: of the disturbance, see :meth:`Policy.disturbed`; 0 is the expert.
        direction: its seed.
        score: mean of the episodes it was chosen by, its actions sampled.
        mean_score: likewise, its actions the mean ones.
    """

    policy: Policy
    strength: float
    direction: int
    score: float
    mean_score: float


def find_lesser(expert: Lesser, wanted: Band, *, strongest: float, trial: Trial, first_direction: int) -> Lesser:
    """Disturb a policy in one direction after the other, each as strongly as the wanted score takes.

    Args:
        expert: undisturbed.
        wanted: share of its score.
        strongest: disturbance that is tried, see :meth:`Policy.disturbed`.
        trial: drives episodes.
        first_direction: number of the first direction; the same numbers find the same policy.

    Raises:
        UserError: no direction leads there.
    """
    for direction in range(first_direction, first_direction + MOST_DIRECTIONS):
        if found := _disturb_in(direction, expert, wanted, strongest=strongest, trial=trial):
            return found
    raise UserError(
        f"none of {MOST_DIRECTIONS} directions of disturbance gives a policy that earns {wanted} of the expert's "
        f"{expert.score:.4g}; is policy= an expert of this environment? Else give another seed="
    )


def _disturb_in(direction: int, expert: Lesser, wanted: Band, *, strongest: float, trial: Trial) -> Lesser | None:
    """The policy in one direction; None where there is none, or its noise or its unsteadiness is what makes it poor."""
    weak, strong = WEAKEST, strongest
    for _ in range(NUM_HALVINGS):
        strength = (weak * strong) ** 0.5
        policy = expert.policy.disturbed(strength, seed=direction)
        share, is_sure = _share(policy, expert, wanted, trial=trial)
        if share > wanted.high:
            weak = strength
        elif share < wanted.low:
            strong = strength
        elif is_sure:
            mean_score = float(np.mean(trial(policy, MANY, False)))
            found = Lesser(policy, strength, direction, share * expert.score, mean_score)
            return found if mean_score <= LEEWAY * wanted.high * expert.score else None
        else:
            return None
    return None


def _share(policy: Policy, expert: Lesser, wanted: Band, *, trial: Trial) -> tuple[float, bool]:
    """The share of the expert's score, and whether it surely is a wanted one: a standard error up and down."""
    share, is_sure = 0.0, False
    for number in (FEW, MANY, MOST):
        scores = trial(policy, number, True) / expert.score
        share, error = float(np.mean(scores)), float(np.std(scores, ddof=1)) / number**0.5
        is_sure = number > FEW and wanted.low + error <= share <= wanted.high - error
        if is_sure or not wanted.low <= share <= wanted.high:
            break
    return share, is_sure
