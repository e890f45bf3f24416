"""Processes that share a batch read a part of it each; what is in it depends on the seed alone."""

from dataclasses import fields

import numpy as np
import pytest

from dfplan.data.windows import WindowBatch, WindowDataset, WindowMixture
from dfplan.settings.windows import WindowSettings
from dfplan.training.batch import sample_own
from dfplan.types import Trajectories

ROWS, EPISODE = 4000, 100


class Counted(np.memmap):
    """Rows of a file that notes how many of them are fetched."""

    fetched = 0

    def __getitem__(self, key):
        found = super().__getitem__(key)
        if type(self) is Counted and isinstance(found, np.ndarray):
            Counted.fetched += found.size
        return np.asarray(found)


@pytest.fixture
def trajectories(tmp_path):
    generator = np.random.default_rng(0)
    path = tmp_path / "rows"
    generator.normal(size=(ROWS, 4)).astype(np.float32).tofile(path)
    observations = Counted(path, dtype=np.float32, mode="r", shape=(ROWS, 4))
    ends = np.arange(ROWS) % 25 == 24
    actions = generator.uniform(-1, 1, size=(ROWS, 2)).astype(np.float32)
    starts = np.arange(0, ROWS + 1, EPISODE)
    return Trajectories(observations, actions, starts, ends, source="random", last_actions=True)


def dataset_of(kind, trajectories):
    def windows(held_steps):
        settings = WindowSettings(steps_per_token=4, points_per_token=1, held_steps=held_steps)
        return WindowDataset(trajectories, settings, num_tokens=5, goal_dim=2, aimless_share=0.3)

    return WindowMixture(windows(4), windows(0), share=0.4) if kind == "mixed" else windows(4 * (kind == "held"))


@pytest.mark.parametrize("kind", ["plain", "held", "mixed"])
@pytest.mark.parametrize("processes", [1, 2, 4, 16])
def test_the_parts_of_processes_are_the_batch_of_one(kind, processes, trajectories):
    dataset = dataset_of(kind, trajectories)
    for step in range(5):
        batch = dataset.sample(16, np.random.default_rng([3, step]))
        parts = [
            sample_own(dataset, 16, np.random.default_rng([3, step]), process=each, num_processes=processes)
            for each in range(processes)
        ]
        for each in fields(WindowBatch):
            together = np.concatenate([getattr(part, each.name) for part in parts])
            np.testing.assert_array_equal(together, getattr(batch, each.name), err_msg=each.name)


@pytest.mark.parametrize("kind", ["plain", "held"])
def test_a_process_reads_its_own_part_alone(kind, trajectories):
    dataset = dataset_of(kind, trajectories)

    def fetched(processes):
        Counted.fetched = 0
        sample_own(dataset, 16, np.random.default_rng(0), process=1 % processes, num_processes=processes)
        return Counted.fetched

    assert fetched(1) > 0
    assert fetched(4) == fetched(1) / 4
