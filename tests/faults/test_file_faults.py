"""The fault injection of `benchmarks/faults` at a size fit for a test run; `make test-faults` runs all of it."""

import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks" / "faults"
pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def scripts_on_the_path(monkeypatch):
    modules = set(sys.modules)
    monkeypatch.syspath_prepend(str(FOLDER))
    yield
    for name in set(sys.modules) - modules:
        if (FOLDER / f"{name}.py").is_file():
            del sys.modules[name]


def test_kills_lose_nothing(tmp_path):
    import kills

    found = kills.run(tmp_path, count=5, seed=1)
    assert found["checkpoints_saved"] >= 5
    for name in ("unloadable_latest", "lost_previous", "damaged_other_files", "strays_after_start"):
        assert found[name] == 0, name


def test_damage_is_found_and_named(tmp_path):
    import damage

    for kind, found in damage.run(tmp_path, count=30, seed=1).items():
        assert found == {"cases": 30, "found": 30, "unnoticed": 0, "other_errors": 0}, kind


def test_a_failing_disk_is_one_line_and_loses_nothing(tmp_path):
    import disk

    found = disk.run(tmp_path, with_export=False)
    assert len(found.pop("made by")) == 5
    assert len(found) == 15
    for case, judged in found.items():
        assert all(judged.values()), (case, judged)


def test_a_killed_training_goes_on_bit_for_bit(tmp_path):
    import resume

    found = resume.run(tmp_path, count=2, seed=1)
    assert found["fewest_losses_compared"] >= 200
    for name in ("equal_losses", "equal_data_order", "equal_weights_average_optimizer"):
        assert found[name] == 2, name


def test_hostile_files_are_refused(tmp_path):
    pytest.importorskip("onnxruntime")
    import hostile

    found = hostile.run(tmp_path)
    assert found["files"] >= 50
    assert found["executions"] == 0
    for name in ("not_refused", "too_slow", "too_large"):
        assert found[name] == [], name
