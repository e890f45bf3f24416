"""Trains what says of states what is still to be earned from them, near what the best in the data earn.

A network's value of a state is moved towards the rewards of the next steps and, behind them, what a slower copy of it
says of where they led; more strongly where that is more than it said than where it is less (expectile regression:
implicit Q-learning, arXiv 2110.06169, equation 5, with states alone, as where an action leads is near to certain).
Nothing is asked of actions or states that are not in the data.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from dfplan.blocks import deviation
from dfplan.errors import UserError
from dfplan.scorers.networks import FARTHEST, ValueNetworks
from dfplan.scorers.value import seen_to_end, terminated
from dfplan.settings.value import ValueSettings
from dfplan.types import Trajectories

BATCH, LEARNING_RATE, FOLLOWED = 512, 1e-3, 0.005  # the last: share by which the slower copy follows a step
NUM_HIDDEN = 2


@dataclass(frozen=True)
class Targets:
    """What is learned from, a row each; all ``(rows,)``.

    Attributes:
        states: the rows of the data.
        rewards: discounted, of the next steps.
        next_states: the rows that these lead to.
        discounts: worth of what comes there; 0 where the episode ended for good.
    """

    states: np.ndarray
    rewards: np.ndarray
    next_states: np.ndarray
    discounts: np.ndarray


def targets_of(data: Trajectories, *, look_ahead: int, discount: float) -> Targets:
    """The next ``look_ahead`` rewards of every row, or as many as there are to the end of its trajectory."""
    assert data.rewards is not None
    rows, lengths = np.arange(len(data)), np.diff(data.starts)
    last = np.repeat(data.starts[1:] - 1, lengths)
    over = np.repeat(terminated(data), lengths)
    steps = np.minimum(look_ahead, last - rows)
    rewards = np.zeros(len(data))
    for ahead in range(look_ahead):
        counts = ahead < steps
        rewards[counts] += discount**ahead * data.rewards[rows[counts] + ahead]
    goes_on = ~(over & (rows + steps == last))
    kept = steps > 0
    return Targets(rows[kept], rewards[kept], (rows + steps)[kept], (discount**steps * goes_on)[kept])


def _with_ends(learned: Targets, data: Trajectories) -> Targets:
    """And that nothing is to be earned where an episode has ended for good, so that plans which lead there know it."""
    ends = (data.starts[1:] - 1)[seen_to_end(data)]
    nothing = np.zeros(len(ends))
    return Targets(
        np.append(learned.states, ends),
        np.append(learned.rewards, nothing),
        np.append(learned.next_states, ends),
        np.append(learned.discounts, nothing),
    )


def train_value(
    data: Trajectories,
    settings: ValueSettings,
    *,
    seed: int,
    on_progress: Callable[[int, int], None] | None = None,
) -> ValueNetworks:
    """Train the value of states on data with rewards.

    Args:
        data: with rewards.
        settings: how far the value looks, and by what it is learned.
        seed: of everything random.
        on_progress: called as ``on_progress(batches_done, batches)``.

    Raises:
        UserError: the data have no rewards, or no step.
    """
    if data.rewards is None:
        raise UserError(f"{data.source} has no rewards, so that nothing is to be earned; give value.kind=features")
    learned = _with_ends(targets_of(data, look_ahead=settings.look_ahead, discount=settings.discount), data)
    if not len(learned.states):
        raise UserError(f"{data.source} has no trajectory of two rows")
    std = deviation(data.observations)
    mean, std = data.observations.mean(axis=0, dtype=np.float64), np.where(std > 1e-6, std, 1.0)
    scale, extremes = _scale(data.rewards, discount=settings.discount)
    observations = torch.from_numpy(np.ascontiguousarray(data.observations, np.float32))
    moments = torch.from_numpy(mean).float(), torch.from_numpy(std).float()

    def states(rows: np.ndarray) -> Tensor:
        return ((observations[torch.from_numpy(rows)] - moments[0]) / moments[1]).clamp(-FARTHEST, FARTHEST)

    generator = torch.Generator().manual_seed(seed)
    parameters = _initial(len(mean), settings, generator)
    slower = [each.detach().clone() for each in parameters]
    optimizer = torch.optim.Adam(parameters, lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.num_steps)
    for step in range(settings.num_steps):
        drawn = torch.randint(len(learned.states), (settings.members, BATCH), generator=generator).numpy()
        wanted = _wanted(
            learned, drawn, beyond=_values(states(learned.next_states[drawn]), slower).detach(), scale=scale
        )
        surplus = wanted - _values(states(learned.states[drawn]), parameters)
        weight = torch.where(surplus < 0, 1 - settings.expectile, settings.expectile)
        optimizer.zero_grad()
        (weight * surplus.square()).mean(dim=1).sum().backward()  # members do not know of each other
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            for slow, parameter in zip(slower, parameters, strict=True):
                slow.lerp_(parameter, FOLLOWED)
        if on_progress is not None:
            on_progress(step + 1, settings.num_steps)
    layers = [each.detach().numpy() for each in parameters]
    weights, biases = tuple(layers[::2]), tuple(layers[1::2])
    return ValueNetworks(mean=mean, std=std, scale=np.array(scale), range=extremes, weights=weights, biases=biases)


def _wanted(learned: Targets, drawn: np.ndarray, *, beyond: Tensor, scale: tuple[float, float]) -> Tensor:
    """What networks are to say of the ``drawn`` states ``(members, batch)``, given what was said ``beyond`` them."""
    later = torch.from_numpy(learned.discounts[drawn]) * (scale[0] + scale[1] * beyond)
    return ((torch.from_numpy(learned.rewards[drawn]) + later - scale[0]) / scale[1]).float()


def _scale(rewards: np.ndarray, *, discount: float) -> tuple[tuple[float, float], np.ndarray]:
    """Where values lie about and how far apart, by which outputs are near to 1; and ``(2,)`` between what they must."""
    mean, spread = float(rewards.mean(dtype=np.float64)), float(rewards.std(dtype=np.float64))
    extremes = np.array([min(rewards.min(), 0), max(rewards.max(), 0)], np.float64) / (1 - discount)
    return (mean / (1 - discount), max(abs(mean) + spread, 1e-6) / (1 - discount) / 3), extremes


def _initial(observation_dim: int, settings: ValueSettings, generator: torch.Generator) -> list[Tensor]:
    """Weights ``[members, inputs, outputs]`` and biases ``[members, outputs]`` of each layer (He et al., 2015)."""
    sizes = [observation_dim, *[settings.width] * NUM_HIDDEN, 1]
    parameters = []
    for inputs, outputs in pairwise(sizes):
        spread = (2 / inputs) ** 0.5 * (0.1 if outputs == 1 else 1.0)
        parameters.append(spread * torch.randn(settings.members, inputs, outputs, generator=generator))
        parameters.append(torch.zeros(settings.members, outputs))
    return [each.requires_grad_() for each in parameters]


def _values(states: Tensor, parameters: list[Tensor]) -> Tensor:
    """Outputs ``[members, batch]`` of states ``[members, batch, observation_dim]``."""
    hidden = states
    for number in range(0, len(parameters), 2):
        hidden = torch.baddbmm(parameters[number + 1][:, None], hidden, parameters[number])
        if number < len(parameters) - 2:
            hidden = torch.relu(hidden)
    return hidden[..., 0]


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
