"""Data of a few rows are learned from, and what nothing is learned from is told."""

from types import SimpleNamespace

import numpy as np
import pytest

from dfplan.tasks.forcing import say_what_is_short
from dfplan.tasks.groups import WindowsSettings
from dfplan.tasks.trajectory_windows import build_datasets
from dfplan.types import Trajectories

SHORT = WindowsSettings(steps_per_token=2, points_per_token=2, restart_share=0.0, held_steps=0)


def episodes(*lengths):
    rows = sum(lengths)
    return Trajectories(
        observations=np.arange(rows, dtype=np.float32)[:, None],
        actions=np.zeros((rows, 1), np.float32),
        starts=np.cumsum([0, *lengths]),
        segment_ends=np.zeros(rows, bool),
        source="made here",
        rewards=np.zeros(rows, np.float32),
    )


@pytest.mark.parametrize(
    ("lengths", "validated", "said"),
    [
        ((13,) * 20, True, []),
        ((13,) * 8, False, ["=0.02 of its 104 rows are less than a token of 2 steps"]),
        ((2,) * 8 + (3,), False, ["8 of 9 episodes are shorter than a token of 2 steps", "of its 19 rows"]),
        ((300, 1, 2, 1, 2), False, ["4 of 5 episodes are shorter", "of its 306 rows"]),
    ],
)
def test_few_rows_are_all_learned_from(lengths, validated, said):
    data, told = episodes(*lengths), []
    train, validation = build_datasets(SHORT, data, num_tokens=2, goal_dim=0)
    say_what_is_short(SHORT, data, SimpleNamespace(say=told.append), validated=validation is not None)
    assert (validation is not None) == validated
    assert len(train.trajectories) == (len(data) if not validated else len(data) - round(0.02 * len(data)))
    assert len(told) == len(said)
    assert all(part in line for part, line in zip(said, told, strict=True))
