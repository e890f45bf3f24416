"""The scripts that make the README's tables, the training logs and the model card out of files."""

import importlib
import json
import sys
from pathlib import Path

import pytest
import torch

from dfplan.models.bundle import load_bundle, save_bundle

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    """A function that imports a script of the benchmarks."""
    for folder in (BENCHMARKS, BENCHMARKS / "training"):
        monkeypatch.syspath_prepend(str(folder))
    yield importlib.import_module
    for name in ("keep", "model_card", "readme_tables"):
        sys.modules.pop(name, None)


def record(*, date: str, score: float, planner: str = "transformer") -> dict:
    names = ("raw_return", "normalized_return", "latched_normalized_return", "first_touch_step", "planned_wall_share")
    metrics = {name: {"mean": score, "low": score - 1, "high": score + 1} for name in names}
    metrics |= {"success_rate": {"mean": 1.0, "low": 0.9, "high": 1.0}, "plan_seconds": {"p50": 0.01, "p95": 0.02}}
    kind = {"env": "maze2d-large", "goal": "fixed", "planner": planner, "controller": "pursuit"}
    return kind | {"date": date, "metrics": metrics, "device": "cpu", "machine": "test", "n_episodes": 100}


def test_the_table_shows_the_newest_record_of_each_kind(script, tmp_path):
    tables = script("readme_tables")
    (tmp_path / "b.json").write_text(json.dumps(record(date="2026-01-01", score=200.0)))
    (tmp_path / "a.json").write_text(json.dumps(record(date="2026-01-02", score=210.0)))
    (tmp_path / "c.json").write_text(json.dumps(record(date="2026-01-01", score=150.0, planner="rnn")))
    records = tables.load_records(tmp_path)
    assert [each["file"] for each in records] == ["c.json", "a.json"]
    text = tables.render(records)
    assert "210.0 [209.0, 211.0] · 210 · 100 %" in text
    assert "200.0" not in text
    assert tables.render([]) == "No result files yet."


def test_a_thinned_log_keeps_every_validation_and_the_last_line(script):
    lines = [f'{{"step": {step}, "loss": 1.0}}' for step in range(500)]
    lines[100::100] = [f'{{"step": {step}, "validation/loss": 1.0}}' for step in range(100, 500, 100)]
    kept = script("keep").thinned(lines)
    assert len(kept) <= 200
    assert kept[-1] == lines[-1]
    assert [line for line in kept if "validation" in line] == lines[100::100]


def test_weights_can_be_kept_in_half_the_bytes(script, tmp_path):
    tensors = {"denoiser.weight": torch.linspace(-1, 1, 1001), "normalizer.mean": torch.tensor([1.23456789])}
    save_bundle(tmp_path / "run" / "model", tensors, {"env": "maze2d-large"})
    metadata = script("keep").keep_weights(tmp_path / "run", tmp_path / "kept", half=True)
    assert metadata["num_parameters"] == 1001
    kept, description = load_bundle(tmp_path / "kept")
    assert description == {"env": "maze2d-large", "stored_as": "float16"}
    torch.testing.assert_close(kept["denoiser.weight"].float(), tensors["denoiser.weight"], rtol=1e-3, atol=1e-6)
    assert torch.equal(kept["normalizer.mean"], tensors["normalizer.mean"])
