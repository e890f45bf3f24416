"""Lesser policies of a published one: its weights disturbed until it earns a wanted share of what it did.

Noise on an expert's actions would be averaged away by whoever learns from them; wrong weights are wrong again and again
in the same places. So a policy is taken only if its mean actions are no better than the share that is wanted, either.
"""

from collections.abc import Callable
from dataclasses import dataclass

from dfplan.domains.published.policy import Policy
from dfplan.errors import UserError

WEAKEST, STRONGEST = 0.002, 0.5  # disturbances that are tried, in standard deviations of a layer's weights
NUM_HALVINGS, MOST_DIRECTIONS = 7, 30
FEW, MANY = 3, 10  # episodes of a first look, and of a decision
LEEWAY = 1.1  # by which the mean actions may be above the wanted share

# The mean score of episodes: of a policy, how many, and whether its actions are sampled.
Trial = Callable[[Policy, int, bool], float]


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


def find_lesser(expert: Lesser, wanted: Band, *, trial: Trial, first_direction: int) -> Lesser:
    """Disturb a policy in one direction after the other, each as strongly as the wanted score takes.

    Args:
        expert: undisturbed.
        wanted: share of its score.
        trial: drives episodes.
        first_direction: number of the first direction; the same numbers find the same policy.

    Raises:
        UserError: no direction leads there.
    """
    for direction in range(first_direction, first_direction + MOST_DIRECTIONS):
        weak, strong = WEAKEST, STRONGEST
        for _ in range(NUM_HALVINGS):
            strength = (weak * strong) ** 0.5
            policy = expert.policy.disturbed(strength, seed=direction)
            share = trial(policy, FEW, True) / expert.score
            if wanted.low <= share <= wanted.high:
                score = trial(policy, MANY, True)
                share = score / expert.score
            if share > wanted.high:
                weak = strength
            elif share < wanted.low:
                strong = strength
            else:
                mean_score = trial(policy, MANY, False)
                if mean_score <= LEEWAY * wanted.high * expert.score:
                    return Lesser(policy, strength, direction, score, mean_score)
                break  # its noise is what makes it earn less
    raise UserError(
        f"none of {MOST_DIRECTIONS} directions of disturbance gives a policy that earns {wanted} of the expert's "
        f"{expert.score:.4g}; is policy= an expert of this environment? Else give another seed="
    )
