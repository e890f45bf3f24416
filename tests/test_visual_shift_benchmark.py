"""The benchmark of frames that look other than those trained on: each shift does what its name says, and no more."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from dfplan.domains.camera import load_camera

FOLDER = Path(__file__).parents[1] / "benchmarks" / "visual_shift"


@pytest.fixture
def script(monkeypatch):
    for folder in (FOLDER.parent, FOLDER):
        monkeypatch.syspath_prepend(str(folder))
    for name in ("run", "records"):
        sys.modules.pop(name, None)
    yield importlib.import_module("run")
    for name in ("run", "records"):
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def frames():
    return load_camera("pixelmaze-large-v1").render(np.array([[1.0, 1.0], [3.1, 5.2], [7.0, 9.0]]))


def test_every_shift_but_the_first_changes_frames_and_keeps_their_kind(script, frames):
    for name, shift in script.SHIFTS.items():
        seen = script.shifted(frames, shift=shift, generator=np.random.default_rng(0))
        assert (seen.shape, seen.dtype) == (frames.shape, np.uint8)
        assert np.array_equal(seen, frames) == (name == "as trained")


def test_noise_has_the_deviation_that_its_name_says(script, frames):
    gray = np.full_like(frames, 128)
    seen = script.shifted(gray, shift=script.SHIFTS["noise of 20"], generator=np.random.default_rng(0))
    assert seen.std() == pytest.approx(20, rel=0.03)


def test_another_colour_is_that_of_the_agent_alone(script, frames):
    seen = script.shifted(frames, shift=script.SHIFTS["the agent green"], generator=np.random.default_rng(0))
    changed = (seen != frames).any(axis=-1)
    assert changed.sum(axis=(1, 2)).max() < 25  # a disc of two pixels' radius
    green = seen[changed].astype(int)
    assert (green[:, 1] > green[:, 0]).all()


def test_the_table_has_a_line_for_every_row(script):
    score = {"mean": 200.0, "low": 190.0, "high": 210.0}
    row = {"maze": "large", "shift": "as trained", "error_median": 0.004, "error_p95": 0.01, "score": score}
    record = {"rows": [row | {"success": 1.0}], "episodes": 30, "seed": 0, "file": "x.json", "commit": "0" * 40}
    assert "| large, as trained | 0.004 / 0.010 | 200.0 [190, 210] | 100 |" in script.table(record)
