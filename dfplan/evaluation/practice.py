"""What a model practises to get better at tasks that its data lack, and what of that is worth learning from.

AdaptDiffuser (arXiv 2302.01877) keeps plans that a discriminator finds sound. Here they are carried out, and what the
environment made of them is kept; windows show goals in hindsight, so that no place is called reached that was not.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import numpy as np

from dfplan.data.windows import WindowDataset
from dfplan.domain import Domain
from dfplan.errors import UserError
from dfplan.evaluation.rollout import Rollouts
from dfplan.protocol import EvaluationProtocol, Running
from dfplan.settings.windows import WindowSettings
from dfplan.types import Trajectories

NUM_TASKS = 20_000  # that stand for all that data show


class Chosen:
    """A protocol of which only the episodes of some ``numbers`` are begun, as if these were all; see ``of``."""

    def __init__(self, of: EvaluationProtocol, numbers: Sequence[int]) -> None:
        self._of, self.numbers = of, list(numbers)

    def begin(self, episodes: Sequence[int], *, seed: int) -> AbstractContextManager[Running]:
        """See :class:`~dfplan.protocol.EvaluationProtocol`."""
        return self._of.begin([self.numbers[each] for each in episodes], seed=seed)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._of, name)


def tasks_shown(data: Trajectories, windows: WindowSettings, domain: Domain, *, seed: int) -> np.ndarray:
    """From where to where windows of data lead, ``(tasks, 2 * goal_dim)``: what a model of them has seen done."""
    dataset = WindowDataset(data, windows, num_tokens=1, goal_dim=domain.spec.goal_dim)
    batch = dataset.sample(NUM_TASKS, np.random.default_rng(seed))
    return np.concatenate([domain.achieved_goal(batch.context), batch.goal], axis=1, dtype=np.float64)


def choose_unseen(
    protocol: EvaluationProtocol,
    domain: Domain,
    shown: np.ndarray,
    *,
    num_episodes: int,
    share: float,
    num_envs: int,
    seed: int,
) -> tuple[list[int], np.ndarray]:
    """Of the first episodes of a seed, those whose start and goal together are farthest from all that data show.

    Args:
        protocol: draws episodes.
        domain: says what was achieved.
        shown: of :func:`tasks_shown`.
        num_episodes: how many are chosen.
        share: of those that are drawn; 1 chooses all.
        num_envs: environments side by side.
        seed: of the episodes.

    Returns:
        Their numbers, rising, and ``(num_episodes,)`` how far each is from the nearest task that is shown.
    """
    drawn = range(int(np.ceil(num_episodes / share)))
    tasks = list[np.ndarray]()
    for first in range(0, len(drawn), num_envs):
        with protocol.begin(drawn[first : first + num_envs], seed=seed) as running:
            begun = running.begun
            tasks.append(np.concatenate([domain.achieved_goal(begun.states), begun.goals], axis=1))
    distances = np.array([np.linalg.norm(shown - task, axis=1).min() for task in np.concatenate(tasks)])
    numbers = np.sort(np.argsort(-distances, kind="stable")[:num_episodes])
    return numbers.tolist(), distances[numbers]


def worth_learning(rollouts: Rollouts, arrived: np.ndarray, *, keep: str) -> Rollouts:
    """What is kept of episodes: of those that came to their goal, as many steps there as the way took, at most.

    Args:
        rollouts: of an environment that says what a success is.
        arrived: ``(episodes,)`` bool.
        keep: "arrived" keeps these alone; "all" the others as well, whole: in hindsight, they went where they ended.
    """
    assert rollouts.success is not None
    episodes = np.flatnonzero(arrived | (keep == "all"))
    lengths = [_steps_kept(rollouts.success[each]) for each in episodes]

    def cut(rows: list[np.ndarray], more: int = 0) -> list[np.ndarray]:
        return [rows[each][: steps + more] for each, steps in zip(episodes, lengths, strict=True)]

    whole = [steps == len(rollouts.rewards[each]) for each, steps in zip(episodes, lengths, strict=True)]
    return replace(
        rollouts,
        states=cut(rollouts.states, 1),
        actions=cut(rollouts.actions),
        rewards=cut(rollouts.rewards),
        success=cut(rollouts.success),
        goals=cut(rollouts.goals, 1),
        terminated=rollouts.terminated[episodes] & np.array(whole, bool),
    )


def _steps_kept(success: np.ndarray) -> int:
    """How many steps of an episode ``(steps,)``: those after its last stay at the goal, and most of a long one, go."""
    there = np.flatnonzero(success)
    if not len(there):
        return len(success)
    last = int(there[-1])
    away = np.flatnonzero(~success[:last])
    came = int(away[-1]) + 2 if len(away) else 1
    return min(last + 1, 2 * came)


def mix(data: Trajectories, practised: Sequence[Trajectories], *, share: float) -> Trajectories:
    """Data and what was practised, this repeated until it is about a ``share`` of all rows.

    Raises:
        UserError: they are not of the same kind.
    """
    found = [each for each in practised if len(each)]
    rows = sum(map(len, found))
    if not rows or not share:
        return data
    times = max(1, round(share / (1 - share) * len(data) / rows))
    parts = [data, *found * times]
    if len({(each.observations.shape[1], each.actions.shape[1]) for each in parts}) > 1:
        sizes = [(each.observations.shape[1], each.actions.shape[1]) for each in (data, *found)]
        raise UserError(f"observations and actions of the data and of what was practised differ in length: {sizes}")
    names = set.intersection(*(set(each.per_row()) for each in parts))
    lengths = np.concatenate([np.diff(each.starts) for each in parts])
    return replace(
        data,
        **{name: np.concatenate([each.per_row()[name] for each in parts]) for name in names},
        **dict.fromkeys(data.per_row().keys() - names),
        starts=np.append(0, np.cumsum(lengths)),
        source=f"{data.source}, and {times} times {rows:,} rows of practice",
        checksum="",
        last_actions=all(each.last_actions for each in parts),
    )
