"""Windows of whole episodes, without goals: what a model with memory learns from, and one without it."""

import numpy as np

from dfplan.data.windows import WindowBatch
from dfplan.errors import UserError
from dfplan.types import Trajectories


class EpisodeWindows:
    """Draws windows that begin where their episode does, or anywhere in it.

    From its beginning, the context token is the first observation and a model learns what comes after everything seen
    so far (memory). From anywhere, the context token is an observation in the midst and a model learns what comes after
    that alone (no memory). There is no goal and no reward: their slots are zeros.

    Args:
        trajectories: the data; every trajectory is an episode.
        steps_per_token: steps of a token.
        steps_per_point: steps between two kept observations.
        num_tokens: tokens of a window; those past the end of an episode are not valid.
        from_start: whether windows begin where their episode does.
        goal_dim: length of a goal, which is not used.

    Raises:
        UserError: an episode is shorter than one token.
    """

    def __init__(
        self,
        trajectories: Trajectories,
        *,
        steps_per_token: int,
        steps_per_point: int,
        num_tokens: int,
        from_start: bool,
        goal_dim: int = 2,
    ) -> None:
        shortest = int(np.diff(trajectories.starts).min()) - 1
        if shortest < steps_per_token:
            raise UserError(
                f"an episode of {trajectories.source} has {shortest} steps, less than a token ({steps_per_token}); "
                "use longer episodes or a smaller steps_per_token"
            )
        self.trajectories = trajectories
        self.steps_per_token = steps_per_token
        self.steps_per_point = steps_per_point
        self.num_tokens = num_tokens
        self.from_start = from_start
        self.goal_dim = goal_dim

    def sample(self, batch_size: int, generator: np.random.Generator) -> WindowBatch:
        """Draw a batch; the same generator state gives the same batch."""
        starts = self.trajectories.starts
        episode = generator.integers(len(starts) - 1, size=batch_size)
        first, last = starts[episode], starts[episode + 1] - 1
        if not self.from_start:
            first = first + (generator.random(batch_size) * (last - first - self.steps_per_token + 1)).astype(np.int64)
        return self.window(first, last=last)

    def window(self, first: np.ndarray, *, last: np.ndarray) -> WindowBatch:
        """Cut the windows that start at rows ``first`` ``(batch,)`` of episodes that end with rows ``last``."""
        data, num_steps = self.trajectories, self.num_tokens * self.steps_per_token
        rows = np.minimum(first[:, None] + np.arange(num_steps + 1), last[:, None])
        token_ends = first[:, None] + self.steps_per_token * np.arange(1, self.num_tokens + 1)
        shape = (len(first), self.num_tokens)
        return WindowBatch(
            context=data.observations[first],
            goal=np.zeros((len(first), self.goal_dim), np.float32),
            actions=data.actions[rows[:, :-1]],
            observations=data.observations[rows[:, self.steps_per_point :: self.steps_per_point]],
            rewards=np.zeros(shape, np.float32),
            valid=token_ends <= last[:, None],
            before_goal=np.ones(shape, dtype=bool),
            dynamics=np.zeros(len(first), dtype=bool),
            aimless=np.zeros(len(first), dtype=bool),
        )
