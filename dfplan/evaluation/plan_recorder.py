"""What an agent tells of its plans while it is rolled out: what they cost, and how many points nothing can be at."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import numpy as np

from dfplan.types import PlanEvent


class Planning(Protocol):
    """Anything that calls ``on_plan``, where it is set, after it has planned."""

    on_plan: Callable[[PlanEvent], None] | None


class PlanRecorder:
    """Listens to an agent's plans.

    Args:
        num_episodes: that are rolled out.
        misplaced: says which planned states ``(batch, points, observation_dim)`` nothing can be in.

    Attributes:
        first_episode: number of the episode that the agent has in its first row.
        points: ``(episodes,)`` states planned.
        misplaced_points: ``(episodes,)`` those of them that nothing can be in.
        seconds: of each plan, those of its batch shared equally.
        episode_seconds: ``(episodes,)`` of all plans of each.
        evaluations: sequences through the network, of each plan.
        token_evaluations: tokens of them that were computed, of each plan.
        largest_batch: most environments planned for at once.
    """

    def __init__(self, num_episodes: int, *, misplaced: Callable[[np.ndarray], np.ndarray]) -> None:
        self.first_episode = 0
        self.points = np.zeros(num_episodes, np.int64)
        self.misplaced_points = np.zeros(num_episodes, np.int64)
        self.seconds: list[float] = []
        self.episode_seconds = np.zeros(num_episodes)
        self.evaluations: list[int] = []
        self.token_evaluations: list[int] = []
        self.largest_batch = 0
        self._misplaced = misplaced

    def record(self, event: PlanEvent) -> None:
        """Add what an event says."""
        episodes = self.first_episode + event.indices
        misplaced = self._misplaced(event.plan.observations)
        planned = np.arange(misplaced.shape[1]) * event.plan.steps_per_point < event.plan.num_steps[:, None]
        np.add.at(self.points, episodes, planned.sum(axis=1))
        np.add.at(self.misplaced_points, episodes, (misplaced & planned).sum(axis=1))
        self.episode_seconds[episodes] += event.seconds / len(episodes)
        self.seconds += [event.seconds / len(episodes)] * len(episodes)
        if event.plan.evaluations is not None and event.plan.token_evaluations is not None:
            self.evaluations += event.plan.evaluations.tolist()
            self.token_evaluations += event.plan.token_evaluations.tolist()
        self.largest_batch = max(self.largest_batch, len(episodes))

    @property
    def misplaced_share(self) -> np.ndarray:
        """Share of planned states that nothing can be in, ``(episodes,)``; NaN where nothing was planned."""
        return np.where(self.points > 0, self.misplaced_points / np.maximum(self.points, 1), np.nan)

    @contextmanager
    def listening_to(self, agent: Planning) -> Iterator[None]:
        """Record within the block; a callback that the agent had before still fires, and is put back."""
        following = agent.on_plan

        def record_and_follow(event: PlanEvent) -> None:
            self.record(event)
            if following is not None:
                following(event)

        agent.on_plan = record_and_follow
        try:
            yield
        finally:
            agent.on_plan = following
