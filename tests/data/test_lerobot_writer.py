"""What is written as a LeRobot data set is read back as it was, whatever trajectories hold or lack."""

from dataclasses import fields, replace

import numpy as np
import pytest

from dfplan.data.formats import lerobot, lerobot_writer
from dfplan.errors import UserError
from dfplan.types import Bounds, Trajectories

pytest.importorskip("pyarrow")
NOT_KEPT = ("source", "checksum", "notes")


def trajectories(seed):
    """Of random sizes, with a random choice of what may be absent."""
    generator = np.random.default_rng(seed)
    lengths = generator.integers(1, 6, size=generator.integers(1, 5))
    rows, size, actions = int(lengths.sum()), *generator.integers(1, 5, size=2).tolist()

    def perhaps(value):
        return value if generator.random() < 0.6 else None

    def flags():
        return generator.random(rows) < 0.3

    def normal(*shape):
        return generator.normal(size=shape).astype(np.float32)

    return Trajectories(
        observations=normal(rows, size),
        actions=normal(rows, actions),
        starts=np.append(0, np.cumsum(lengths)),
        segment_ends=flags(),
        source="made here",
        rewards=perhaps(normal(rows)),
        terminations=perhaps(flags()),
        truncations=perhaps(flags()),
        last_actions=bool(generator.random() < 0.5),
        action_bounds=perhaps(Bounds(-np.ones(actions, np.float32), np.ones(actions, np.float32))),
        step_seconds=perhaps(0.03),
        goals=perhaps(normal(rows, 2)),
        achieved_goals=perhaps(normal(rows, 1)),
        observation_names=perhaps(tuple(f"joint {index}" for index in range(size))) or (),
        action_names=perhaps(tuple(f"motor {index}" for index in range(actions))) or (),
    )


def assert_same(first, second, name):
    if isinstance(first, Bounds):
        np.testing.assert_array_equal([first.low, first.high], [second.low, second.high])
    elif isinstance(first, np.ndarray):
        assert (first.dtype, first.shape) == (second.dtype, second.shape), name
        np.testing.assert_array_equal(first, second, err_msg=name)
    else:
        assert first == second, name


@pytest.mark.parametrize("seed", range(25))
def test_what_was_written_is_read_back(tmp_path, seed):
    data = trajectories(seed)
    again = lerobot.read(lerobot_writer.write(tmp_path / "a", data, task="push", fps=20))
    for each in fields(Trajectories):
        if each.name not in NOT_KEPT:
            assert_same(getattr(data, each.name), getattr(again, each.name), each.name)
    assert [each.name for each in tmp_path.iterdir()] == ["a"]


def test_the_folder_has_the_files_that_lerobot_looks_for(tmp_path):
    data = trajectories(0)
    folder = lerobot_writer.write(tmp_path / "a", data, task="push", fps=20)
    found = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert found == [
        "data/chunk-000/file-000.parquet",
        "meta/episodes/chunk-000/file-000.parquet",
        "meta/info.json",
        "meta/stats.json",
        "meta/tasks.parquet",
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"step_seconds": None}, "give fps"), ({"actions": np.zeros((0, 0), np.float32)}, "has no actions")],
)
def test_what_lerobot_needs_and_is_not_there_is_named(tmp_path, changes, said):
    with pytest.raises(UserError, match=said):
        lerobot_writer.write(tmp_path / "a", replace(trajectories(0), **changes), task="push")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_there_stays(tmp_path):
    with pytest.raises(UserError, match="there already"):
        lerobot_writer.write(tmp_path, trajectories(0), task="push", fps=20)
