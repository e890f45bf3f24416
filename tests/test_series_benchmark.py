"""The tables of the benchmark of series: cut as they are meant to be, of the files that are meant."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def data(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER / "series"))
    yield __import__("data")
    sys.modules.pop("data", None)


def walk(pedestrian, frames, *, y=0.0):
    """Rows of somebody who goes a metre a frame."""
    return np.array([[10 * frame, pedestrian, frame, y] for frame in frames])


def test_a_track_ends_where_somebody_is_not_seen(data):
    rows = np.concatenate([walk(1, [0, 1, 2, 5, 6]), walk(2, range(7), y=1.0)])
    found = data.tracks(rows)
    assert [(first, len(track)) for first, track in found] == [(0, 3), (5, 2), (0, 7)]
    np.testing.assert_array_equal(found[1][1], [[5, 0], [6, 0]])


def test_sequences_are_of_those_who_are_there_throughout_and_not_alone(data):
    together = np.concatenate([walk(1, range(21)), walk(2, range(1, 21), y=1.0), walk(3, range(15), y=2.0)])
    found = data.sequences(together)
    assert [each.shape for each in found] == [
        (20, 2)
    ] * 2  # from frame 1 on; in the first, nobody else is there to the end
    np.testing.assert_array_equal(found[0][:, 0], np.arange(1, 21))


def test_turns_keep_lengths_and_are_all_different(data):
    found = np.stack(data.turns())
    np.testing.assert_allclose(found @ found.transpose(0, 2, 1), np.broadcast_to(np.eye(2), found.shape), atol=1e-12)
    assert len(np.unique(found.round(6), axis=0)) == 2 * data.TURNS


def test_another_file_than_is_meant_is_refused(data, tmp_path):
    with pytest.raises(SystemExit, match="says where it is from"):
        data.exchange_rates(tmp_path, tmp_path)
    (tmp_path / "series").mkdir()
    (tmp_path / "series" / "exchange_rate.txt.gz").write_bytes(b"another")
    with pytest.raises(SystemExit, match="SHA-256 is another"):
        data.exchange_rates(tmp_path, tmp_path)


def test_the_table_and_figures_are_those_of_the_result_files():
    command = [sys.executable, str(FOLDER / "series" / "run.py"), "--check"]
    assert subprocess.run(command, check=False).returncode == 0
