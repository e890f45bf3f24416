"""The data as Diffuser sees them: segments between two departures from the maze's goal, windows of one length."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from dfplan.errors import UserError
from dfplan.types import Trajectories


@dataclass(frozen=True)
class TrajectoryBatch:
    """Windows in the units of the environment.

    Attributes:
        actions: ``(batch, horizon, action_dim)``.
        observations: ``(batch, horizon, observation_dim)``; row ``t`` is before action ``t``.
    """

    actions: np.ndarray
    observations: np.ndarray


class SegmentWindows:
    """Draws windows of ``horizon`` rows, all equally often, that lie in one segment.

    A segment ends where the agent is inside the disc around ``goal`` and is outside at the next row; its last row is
    left out, and so is what follows the last such row of a trajectory. Nothing is padded. (jannerm/diffuser, branch
    maze2d: ``maze2d_set_terminals``, ``process_maze2d_episode`` and ``SequenceDataset.make_indices``, after which a
    segment of ``n`` rows, its last left out, has ``n - horizon`` windows.)

    Args:
        trajectories: the data.
        goal: ``(goal_dim,)`` the maze's own goal.
        goal_radius: of the disc; the agent is inside nearer than that.
        horizon: rows of a window.

    Raises:
        UserError: no segment is long enough for a window.
    """

    def __init__(self, trajectories: Trajectories, *, goal: np.ndarray, goal_radius: float, horizon: int) -> None:
        self.trajectories = trajectories
        self.horizon = horizon
        first, stop = segments(trajectories, goal=goal, goal_radius=goal_radius)
        self.num_segments = len(first)
        counts = np.maximum(stop - first - horizon, 0)
        if not counts.sum():
            raise UserError(
                f"no segment of {trajectories.source} between two departures from the goal is longer than {horizon} "
                f"rows (the longest has {(stop - first).max(initial=0)}); use more data or a smaller model.horizon"
            )
        self._first = np.concatenate([np.arange(each, each + n) for each, n in zip(first, counts, strict=True)])
        self._rows = np.concatenate([np.arange(*each) for each in zip(first, stop, strict=True)])

    def __len__(self) -> int:
        return len(self._first)

    def sample(self, batch_size: int, generator: np.random.Generator) -> TrajectoryBatch:
        """Draw a batch; the same generator state gives the same batch."""
        return self.window(self._first[generator.integers(len(self._first), size=batch_size)])

    def window(self, first: np.ndarray) -> TrajectoryBatch:
        """Cut the windows that start at rows ``first`` ``(batch,)``."""
        rows = first[:, None] + np.arange(self.horizon)
        return TrajectoryBatch(self.trajectories.actions[rows], self.trajectories.observations[rows])

    def normalizer(self) -> "LimitsNormalizer":
        """The limits of all rows that segments keep."""
        data = self.trajectories
        return LimitsNormalizer.fit(np.concatenate([data.actions, data.observations], axis=1)[self._rows])


def segments(trajectories: Trajectories, *, goal: np.ndarray, goal_radius: float) -> tuple[np.ndarray, np.ndarray]:
    """First rows of the segments, and the rows after their last ones, both ``(segments,)`` int64."""
    goal = np.asarray(goal)
    inside = np.linalg.norm(trajectories.observations[:, : len(goal)] - goal, axis=1) < goal_radius
    leaves = np.zeros(len(trajectories), dtype=bool)
    leaves[:-1] = inside[:-1] & ~inside[1:]
    leaves[trajectories.starts[1:] - 1] = False  # the next row is another trajectory
    stop = np.flatnonzero(leaves)
    begins = np.union1d(trajectories.starts[:-1], stop + 1)
    return begins[np.searchsorted(begins, stop, side="right") - 1], stop


class LimitsNormalizer(nn.Module):
    """Maps every dimension of a token linearly to [-1, 1], from its smallest and largest value in the data.

    Args:
        minimum: ``(token_dim,)``.
        maximum: ``(token_dim,)``.
    """

    minimum: Tensor
    maximum: Tensor

    def __init__(self, minimum: Tensor, maximum: Tensor) -> None:
        super().__init__()
        self.register_buffer("minimum", minimum.float())
        self.register_buffer("maximum", maximum.float())

    @classmethod
    def fit(cls, tokens: np.ndarray) -> "LimitsNormalizer":
        """Measure ``(rows, token_dim)`` tokens.

        Raises:
            UserError: a dimension never varies.
        """
        minimum, maximum = tokens.min(axis=0), tokens.max(axis=0)
        if not (maximum > minimum).all():
            raise UserError(f"dimensions {np.flatnonzero(maximum <= minimum).tolist()} of the data never vary")
        return cls(torch.from_numpy(minimum), torch.from_numpy(maximum))

    def tokens(self, values: Tensor) -> Tensor:
        """Normalise tokens ``[..., token_dim]``, or their last dimensions alone (an observation)."""
        minimum, maximum = self.minimum[-values.shape[-1] :], self.maximum[-values.shape[-1] :]
        return 2 * (values - minimum) / (maximum - minimum) - 1

    def tokens_back(self, values: Tensor) -> Tensor:
        """Undo :meth:`tokens`."""
        minimum, maximum = self.minimum[-values.shape[-1] :], self.maximum[-values.shape[-1] :]
        return (values + 1) / 2 * (maximum - minimum) + minimum
