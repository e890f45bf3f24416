"""Windows of trajectories with a goal in hindsight: what one training batch is made of."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from dfplan.errors import UserError
from dfplan.scorers.value import seen_to_end
from dfplan.settings.windows import WindowSettings
from dfplan.types import Trajectories


@dataclass(frozen=True)
class WindowBatch:
    """A batch of windows in the units of the environment.

    Attributes:
        context: ``(batch, observation_dim)`` observation before the first step.
        goal: ``(batch, goal_dim)``.
        actions: ``(batch, steps, action_dim)``.
        observations: ``(batch, points, observation_dim)``, every ``steps_per_point`` steps.
        rewards: ``(batch, tokens)`` share of each token's steps within ``goal_radius`` of the goal; without goals, the
            mean reward on record of a token's steps, 0 where none is.
        valid: ``(batch, tokens)`` bool, False past the end of the trajectory.
        before_goal: ``(batch, tokens)`` bool, True up to and including the token after the one that reaches the goal.
        dynamics: ``(batch,)`` bool, True for windows that teach what actions lead to: these are shown, and no goal.
        aimless: ``(batch,)`` bool, True for windows that go on past their goal, which is therefore not shown.
    """

    context: np.ndarray
    goal: np.ndarray
    actions: np.ndarray
    observations: np.ndarray
    rewards: np.ndarray
    valid: np.ndarray
    before_goal: np.ndarray
    dynamics: np.ndarray
    aimless: np.ndarray


class WindowDataset:
    """Draws windows with hindsight goals from trajectories (hindsight: arXiv 1707.01495).

    A window starts at any row, or, with probability ``restart_share``, within one token after the collector drew a new
    goal, so that turning round is seen often enough. Its goal is where the collector was heading (probability
    ``segment_goal_share``) or a later place on the way there, moved by up to ``goal_jitter`` per axis. Goals on the
    way of one segment keep the plans short: between two goals of the collector the route is direct.

    With ``held_steps``, windows repeat the last steps of their segment from where it ends to where they end themselves:
    a plan that has come to its goal has nowhere else to go. What the data did next would teach it to leave, for there
    every stay is followed by the next way. Only windows that show no goal, a share of ``aimless_share``, go on as the
    data do. Since such windows show little once they are at their goals, of two starts drawn the one is taken that has
    more of its way ahead.

    Args:
        trajectories: the data.
        settings: see above; ``held_steps`` is 0 for data whose segments do not end standing still for as long. None is
            of the ``numbers``.
        num_tokens: tokens of a window.
        goal_dim: leading dimensions of an observation that goals are about, a place in the plane unless said; 0 where
            there are no goals: then rewards are those on record, and no window shows a goal.
        aimless_share: see above.
        start_weights: ``(rows,)``, how often windows begin at each row relative to others, apart from those by
            ``restart_share``; None is everywhere alike.
        numbers: settings one by one, of windows that are not held unless they say so; ``steps_per_point`` for
            ``points_per_token`` will do.

    Raises:
        UserError: no trajectory is as long as one token.
    """

    def __init__(
        self,
        trajectories: Trajectories,
        settings: WindowSettings | None = None,
        *,
        num_tokens: int,
        goal_dim: int = 2,
        aimless_share: float = 0.0,
        start_weights: np.ndarray | None = None,
        **numbers: Any,
    ) -> None:
        self.trajectories, self.settings = trajectories, settings or _settings_of(**numbers)
        self.num_tokens, self.goal_dim, self.aimless_share = num_tokens, goal_dim, aimless_share
        self._index()
        self._cumulative = None if start_weights is None else self._accumulate(start_weights)

    def _index(self) -> None:
        """Note where windows may start and segments end: a few numbers a trajectory, as rows may be very many."""
        data, rows = self.trajectories, len(self.trajectories)
        self._segment_ends = np.append(np.flatnonzero(data.segment_ends), rows)
        possible = np.maximum(np.diff(data.starts) - self.settings.steps_per_token, 0)
        self._num_before = np.append(0, np.cumsum(possible))  # of the rows that windows may start at
        if not self._num_before[-1]:
            raise UserError(
                f"no trajectory of {data.source} is as long as one token ({self.settings.steps_per_token} steps); "
                "use longer trajectories or a smaller steps_per_token"
            )
        restarts = np.concatenate([data.starts[:-1], np.flatnonzero(data.segment_ends) + 1])
        restarts = restarts[restarts < rows]
        self._seen_to_end = seen_to_end(data)
        self._restarts = restarts[restarts + 2 * self.settings.steps_per_token <= self._last_row(restarts)]

    def _accumulate(self, weights: np.ndarray) -> np.ndarray:
        """Weights of the rows that windows may start at, summed up.

        Raises:
            UserError: they are all 0.
        """
        cumulative = np.cumsum(weights[self._start(np.arange(self._num_before[-1]))], dtype=np.float64)
        if not cumulative[-1] > 0:
            raise UserError(f"no window of {self.trajectories.source} is to be drawn, as all weights are 0")
        return cumulative

    def _last_row(self, rows: np.ndarray) -> np.ndarray:
        """The last row of the trajectory that each row is of."""
        starts = self.trajectories.starts
        return starts[np.searchsorted(starts, rows, side="right")] - 1

    def _segment_end(self, rows: np.ndarray) -> np.ndarray:
        """The row at which the segment of each row ends."""
        return np.minimum(self._segment_ends[np.searchsorted(self._segment_ends, rows)], self._last_row(rows))

    def _start(self, numbers: np.ndarray) -> np.ndarray:
        """The rows that windows may start at, by their numbers."""
        trajectory = np.searchsorted(self._num_before, numbers, side="right") - 1
        return self.trajectories.starts[trajectory] + numbers - self._num_before[trajectory]

    @property
    def num_steps(self) -> int:
        """Steps of a window."""
        return self.num_tokens * self.settings.steps_per_token

    def sample(self, batch_size: int, generator: np.random.Generator) -> WindowBatch:
        """Draw a batch; the same generator state gives the same batch."""
        return self.sample_part(batch_size, generator, part=slice(None))

    def sample_part(self, batch_size: int, generator: np.random.Generator, *, part: slice) -> WindowBatch:
        """The windows at ``part`` of a batch that is drawn; of the data, which may be mapped, no others are read."""
        first = self._draw_starts(batch_size, generator)
        goal = self._draw_goals(first, generator, part=part)
        if not self.settings.held_steps:
            return self.window(first[part], goal=goal)
        aimless = generator.random(batch_size) < self.aimless_share
        return self.window(first[part], goal=goal, aimless=aimless[part])

    def _draw_starts(self, batch_size: int, generator: np.random.Generator) -> np.ndarray:
        if self._cumulative is not None:
            drawn = generator.random(batch_size) * self._cumulative[-1]
            anywhere = self._start(np.searchsorted(self._cumulative, drawn, side="right"))
        else:
            anywhere = self._draw_rows(int(self._num_before[-1]), self._start, batch_size, generator)
        if not len(self._restarts):
            return anywhere
        restart = self._draw_rows(len(self._restarts), self._restarts.__getitem__, batch_size, generator)
        restart = restart + generator.integers(self.settings.steps_per_token, size=batch_size)
        return np.where(generator.random(batch_size) < self.settings.restart_share, restart, anywhere)

    def _draw_rows(
        self, number: int, row: Callable[[np.ndarray], np.ndarray], count: int, generator: np.random.Generator
    ) -> np.ndarray:
        """``count`` rows of a ``number``; where windows are held, each the one of two with the longer way ahead."""
        drawn = row(generator.integers(number, size=(2 if self.settings.held_steps else 1, count)))
        ahead = self._segment_end(drawn) - drawn
        return drawn[ahead.argmax(axis=0), np.arange(count)]

    def _draw_goals(self, first: np.ndarray, generator: np.random.Generator, *, part: slice) -> np.ndarray:
        end = np.maximum(self._segment_end(first), first + 1)
        on_the_way = first + 1 + (generator.random(len(first)) * (end - first)).astype(np.int64)
        row = np.where(
            generator.random(len(first)) < self.settings.segment_goal_share, end, np.minimum(on_the_way, end)
        )
        jitter = generator.uniform(
            -self.settings.goal_jitter, self.settings.goal_jitter, size=(len(first), self.goal_dim)
        )
        return (self.trajectories.observations[row[part], : self.goal_dim] + jitter[part]).astype(np.float32)

    def window(self, first: np.ndarray, *, goal: np.ndarray, aimless: np.ndarray | None = None) -> WindowBatch:
        """Cut the windows that start at rows ``first`` ``(batch,)`` with the given goals ``(batch, goal_dim)``.

        Those that are ``aimless`` ``(batch,)`` go on past their segment's end in any case; None is none of them.
        """
        data, last = self.trajectories, self._last_row(first)
        aimless = np.zeros(len(first), dtype=bool) if aimless is None else aimless
        held = (~aimless)[:, None] & bool(self.settings.held_steps)
        steps = first[:, None] + np.arange(self.num_steps + 1)
        rows = np.where(held, self._held(steps, self._segment_end(first)[:, None]), np.minimum(steps, last[:, None]))
        places = data.observations[rows[:, 1:], : self.goal_dim]
        at_goal = np.linalg.norm(places - goal[:, None], axis=-1) <= self.settings.goal_radius
        by_token = at_goal.reshape(len(first), self.num_tokens, self.settings.steps_per_token)
        rewards = by_token.mean(axis=-1, dtype=np.float32)
        if not self.goal_dim:
            by_token, aimless = np.zeros_like(by_token), np.ones_like(aimless)
            rewards = np.zeros_like(rewards)
            if data.rewards is not None:
                rewards = data.rewards[rows[:, :-1]].reshape(by_token.shape).mean(axis=-1, dtype=np.float32)
        reached = np.logical_or.accumulate(by_token.any(axis=-1), axis=1)
        token_ends = steps[:, self.settings.steps_per_token :: self.settings.steps_per_token]
        before_goal = np.ones_like(reached)
        before_goal[:, 2:] = ~reached[:, :-2]
        return WindowBatch(
            context=data.observations[first],
            goal=goal,
            actions=data.actions[rows[:, :-1]],
            observations=data.observations[rows[:, self.settings.steps_per_point :: self.settings.steps_per_point]],
            rewards=rewards,
            valid=(token_ends <= last[:, None]) | held | self._over(first)[:, None],
            before_goal=before_goal,
            dynamics=np.zeros(len(first), dtype=bool),
            aimless=aimless,
        )

    def _over(self, rows: np.ndarray) -> np.ndarray:
        """Whether nothing is to be earned any more where the trajectory of each row ends, ``(rows,)`` bool."""
        if self.goal_dim or self.trajectories.rewards is None:
            return np.zeros(len(rows), dtype=bool)
        return self._seen_to_end[np.searchsorted(self.trajectories.starts, rows, side="right") - 1]

    def _held(self, steps: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Rows ``(batch, steps)`` that go round in the last ``held_steps`` rows once they are at the ``end``."""
        if not self.settings.held_steps:
            return steps
        beyond = np.maximum(steps - end - 1, 0) % self.settings.held_steps
        return np.where(steps > end, end - self.settings.held_steps + 1 + beyond, steps)


def _settings_of(*, steps_per_token: int = 16, steps_per_point: int | None = None, **numbers: Any) -> WindowSettings:
    if steps_per_point is not None:
        if steps_per_token % steps_per_point:
            raise UserError(f"steps_per_point must divide steps_per_token; got {steps_per_point} and {steps_per_token}")
        numbers["points_per_token"] = steps_per_token // steps_per_point
    return WindowSettings(steps_per_token=steps_per_token, **({"held_steps": 0} | numbers))


@dataclass(frozen=True)
class WindowMixture:
    """Windows to plan by, and in between windows of other data that teach what actions lead to.

    Attributes:
        planned: what plans should look like.
        collected: where actions lead.
        share: probability of a window to be one of ``collected``; these stand first in a batch.
    """

    planned: WindowDataset
    collected: WindowDataset
    share: float

    def sample(self, batch_size: int, generator: np.random.Generator) -> WindowBatch:
        """Draw a batch; the same generator state gives the same batch."""
        return self.sample_part(batch_size, generator, part=slice(None))

    def sample_part(self, batch_size: int, generator: np.random.Generator, *, part: slice) -> WindowBatch:
        """The windows at ``part`` of a batch that is drawn; of the data no others are read."""
        count = int(generator.binomial(batch_size, self.share))
        begin, end, _ = part.indices(batch_size)
        own = slice(min(begin, count), min(end, count))
        collected = self.collected.sample_part(count, generator, part=own)
        collected = replace(collected, dynamics=np.ones(len(collected.context), dtype=bool))
        rest = slice(max(begin - count, 0), max(end - count, 0))
        planned = self.planned.sample_part(batch_size - count, generator, part=rest)
        names = [each.name for each in fields(WindowBatch)]
        return WindowBatch(*(np.concatenate([getattr(collected, name), getattr(planned, name)]) for name in names))
