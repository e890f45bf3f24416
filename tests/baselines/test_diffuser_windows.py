"""Diffuser's segments and windows, made by hand, and its normaliser."""

import numpy as np
import pytest
import torch

from dfplan.baselines.diffuser import LimitsNormalizer, SegmentWindows
from dfplan.baselines.diffuser.windows import segments
from dfplan.errors import UserError
from dfplan.types import Trajectories

GOAL = (0.0, 0.0)


def line(*xs: float, starts: tuple[int, ...] = (0,)) -> Trajectories:
    """A trajectory along x whose action numbers its row."""
    rows = len(xs)
    observations = np.zeros((rows, 4), np.float32)
    observations[:, 0] = xs
    return Trajectories(
        observations=observations,
        actions=np.stack([np.arange(rows), -np.arange(rows)], axis=1).astype(np.float32),
        starts=np.array([*starts, rows]),
        segment_ends=np.zeros(rows, bool),
        source="a line",
    )


def rows_of(windows: SegmentWindows) -> set[tuple[int, ...]]:
    batch = windows.sample(200, np.random.default_rng(0))
    assert (batch.observations[..., 0] == windows.trajectories.observations[batch.actions[..., 0].astype(int), 0]).all()
    return {tuple(row) for row in batch.actions[..., 0].astype(int).tolist()}


def test_a_segment_ends_where_the_goal_is_left_and_the_rest_is_left_out():
    data = line(3, 2, 1, 0.4, 0, 2, 3, 2, 0.2, 0.5, 4, 4)  # inside at rows 3, 4 and 8; 0.5 is outside
    first, stop = segments(data, goal=np.array(GOAL), goal_radius=0.5)
    assert first.tolist() == [0, 5]
    assert stop.tolist() == [4, 8]  # the last row of a segment, which is left out
    windows = SegmentWindows(data, goal=np.array(GOAL), goal_radius=0.5, horizon=2)
    assert rows_of(windows) == {(0, 1), (1, 2), (5, 6)}  # of n rows n - horizon windows, as published
    assert len(windows) == 3
    assert windows.num_segments == 2


def test_windows_cross_neither_goals_nor_trajectories():
    data = line(0, 1, 2, 1, 0, 1, 2, 0.1, 2, 2, starts=(0, 4))  # row 4 begins a trajectory
    first, stop = segments(data, goal=np.array(GOAL), goal_radius=0.5)
    assert list(zip(first.tolist(), stop.tolist(), strict=True)) == [(0, 0), (4, 4), (5, 7)]
    windows = SegmentWindows(data, goal=np.array(GOAL), goal_radius=0.5, horizon=1)
    assert rows_of(windows) == {(5,)}


def test_leaving_the_goal_between_two_trajectories_is_no_end():
    data = line(1, 0, 3, 0, 3, starts=(0, 2))
    first, stop = segments(data, goal=np.array(GOAL), goal_radius=0.5)
    assert list(zip(first.tolist(), stop.tolist(), strict=True)) == [(2, 3)]


def test_a_horizon_that_no_segment_has_is_refused():
    with pytest.raises(UserError, match="the longest has 4"):
        SegmentWindows(line(3, 2, 1, 0.4, 0, 2), goal=np.array(GOAL), goal_radius=0.5, horizon=4)


def test_the_same_generator_draws_the_same_windows():
    windows = SegmentWindows(line(*range(9, -1, -1), 5), goal=np.array(GOAL), goal_radius=0.5, horizon=3)
    batches = [windows.sample(7, np.random.default_rng(3)) for _ in range(2)]
    assert (batches[0].actions == batches[1].actions).all()


def test_limits_become_minus_one_and_one_and_back():
    tokens = np.random.default_rng(0).normal(size=(100, 6)).astype(np.float32)
    normalizer = LimitsNormalizer.fit(tokens)
    found = normalizer.tokens(torch.from_numpy(tokens))
    torch.testing.assert_close(found.amin(0), torch.full((6,), -1.0))
    torch.testing.assert_close(found.amax(0), torch.full((6,), 1.0))
    torch.testing.assert_close(normalizer.tokens_back(found), torch.from_numpy(tokens), atol=1e-5, rtol=1e-5)
    observations = torch.from_numpy(tokens[:, 2:])
    torch.testing.assert_close(normalizer.tokens(observations), found[:, 2:])
    torch.testing.assert_close(normalizer.tokens_back(found[:, 2:]), observations, atol=1e-5, rtol=1e-5)


def test_limits_of_a_dimension_that_never_varies_are_refused():
    with pytest.raises(UserError, match=r"\[2\]"):
        LimitsNormalizer.fit(np.array([[0, 1, 5], [1, 0, 5]], np.float32))
