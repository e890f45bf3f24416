"""Training and validation parts share no row and keep the borders of trajectories."""

import numpy as np
import pytest

from dfplan.data.split import hold_out
from dfplan.errors import UserError
from dfplan.types import Trajectories


def make(lengths: list[int]) -> Trajectories:
    rows = sum(lengths)
    return Trajectories(
        observations=np.arange(rows, dtype=np.float32)[:, None],
        actions=np.zeros((rows, 1), np.float32),
        starts=np.concatenate([[0], np.cumsum(lengths)]),
        segment_ends=np.zeros(rows, bool),
        source="made here",
    )


@pytest.mark.parametrize("lengths", [[10], [5, 5], [3, 4, 3], [8, 2], [1, 1, 8]])
def test_every_row_is_in_exactly_one_part_and_trajectories_stay_apart(lengths):
    whole = make(lengths)
    parts = hold_out(whole, share=0.2)
    assert [len(part) for part in parts] == [8, 2]
    assert np.concatenate([part.observations for part in parts]).ravel().tolist() == list(range(10))
    borders = {0, 8, 10} | set(np.cumsum(lengths).tolist())
    found = {*parts[0].starts.tolist(), *(parts[1].starts + 8).tolist()}
    assert found == borders


@pytest.mark.parametrize("share", [0.0, 0.05, 0.95, 1.0])
def test_a_part_without_two_rows_is_refused(share):
    with pytest.raises(UserError, match="cannot hold"):
        hold_out(make([10]), share=share)
