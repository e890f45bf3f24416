"""What an agent tells of its plans while it is rolled out: what they cost, and how many points lie in walls."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np

from dfplan.types import PlanEvent


class Planning(Protocol):
    """Anything that calls ``on_plan``, where it is set, after it has planned."""

    on_plan: Callable[[PlanEvent], None] | None


class PlanRecorder:
    """Listens to an agent's plans.

    Attributes:
        first_episode: number of the episode that the agent has in its first row.
        points: ``(episodes,)`` points planned.
        points_in_walls: ``(episodes,)`` those of them inside a wall.
        seconds: of each plan, those of its batch shared equally.
        evaluations: sequences through the network, of each plan.
        token_evaluations: tokens of them that were computed, of each plan.
        largest_batch: most environments planned for at once.
    """

    def __init__(self, num_episodes: int, *, maze: Any) -> None:
        self.first_episode = 0
        self.points = np.zeros(num_episodes, np.int64)
        self.points_in_walls = np.zeros(num_episodes, np.int64)
        self.seconds: list[float] = []
        self.evaluations: list[int] = []
        self.token_evaluations: list[int] = []
        self.largest_batch = 0
        self._maze = maze

    def record(self, event: PlanEvent) -> None:
        """Add what an event says."""
        episodes = self.first_episode + event.indices
        in_wall = self._maze.contains_wall(event.plan.observations[..., :2])
        planned = np.arange(in_wall.shape[1]) * event.plan.steps_per_point < event.plan.num_steps[:, None]
        np.add.at(self.points, episodes, planned.sum(axis=1))
        np.add.at(self.points_in_walls, episodes, (in_wall & planned).sum(axis=1))
        self.seconds += [event.seconds / len(episodes)] * len(episodes)
        if event.plan.evaluations is not None and event.plan.token_evaluations is not None:
            self.evaluations += event.plan.evaluations.tolist()
            self.token_evaluations += event.plan.token_evaluations.tolist()
        self.largest_batch = max(self.largest_batch, len(episodes))

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
