"""Which parts of the data are worth doing again: those that earn more than is expected where they begin."""

import math

import numpy as np

from dfplan.scorers.networks import ValueNetworks
from dfplan.training.value import targets_of
from dfplan.types import Trajectories

MOST = 100.0  # times that a part is drawn as often as one that is as expected (implicit Q-learning has the same)


def advantage_weights(
    data: Trajectories, value: ValueNetworks, *, num_steps: int, discount: float, temperature: float
) -> np.ndarray:
    """How often to begin at each row: ``exp(advantage / (temperature * its deviation))``.

    The advantage of a row is what its next steps earn and what is to be earned behind them, less what was to be earned
    from it (advantage-weighted regression, arXiv 1910.00177, equation 3, with steps as they were taken).

    Args:
        data: with rewards.
        value: what is to be earned from states.
        num_steps: steps that are counted as they were taken.
        discount: per step, that of the value.
        temperature: above 0; the smaller, the more counts the best.

    Returns:
        ``(rows,)``, 0 where no step follows.
    """
    learned = targets_of(data, look_ahead=num_steps, discount=discount)
    earned = learned.rewards + learned.discounts * value(data.observations[learned.next_states])
    advantage = earned - value(data.observations[learned.states])
    deviation = max(float(advantage.std()), 1e-12)
    weights = np.zeros(len(data))
    weights[learned.states] = np.exp(np.minimum(advantage / (temperature * deviation), math.log(MOST)))
    return weights
