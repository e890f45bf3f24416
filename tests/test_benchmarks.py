"""The scripts that make the README's tables, the training logs and the model card out of files."""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from dfplan.cli.folders import group_choices
from dfplan.evaluation.metrics import crossed_interval
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


def record(
    *, date: str, score: float, planner: str = "transformer", training_seed: int | None = None, start: float = 1.0
) -> dict:
    """A result file of two episodes that score two more and two less than the mean."""
    names = ("raw_return", "normalized_return", "latched_normalized_return", "first_touch_step", "planned_wall_share")
    metrics = {name: {"mean": score, "low": score - 1, "high": score + 1} for name in names}
    metrics |= {"success_rate": {"mean": 1.0, "low": 0.9, "high": 1.0}, "plan_seconds": {"p50": 0.01, "p95": 0.02}}
    kind = {"env": "maze2d-large", "goal": "fixed", "planner": planner, "controller": "pursuit"}
    episodes = [
        dict.fromkeys(names, score + change) | {"start": [start, 1.0], "goal": [7.0, 9.0], "success": True}
        for change in (2, -2)
    ]
    made = {"date": date, "metrics": metrics, "device": "cpu", "machine": "test", "n_episodes": 2, "episodes": episodes}
    return kind | made | ({} if training_seed is None else {"weights": {"training_seed": training_seed}})


def write(folder: Path, **records: dict) -> None:
    for name, each in records.items():
        (folder / f"{name}.json").write_text(json.dumps(each))


def test_the_table_shows_the_newest_record_of_each_kind(script, tmp_path):
    tables = script("readme_tables")
    write(
        tmp_path,
        b=record(date="2026-01-01", score=200.0),
        a=record(date="2026-01-02", score=210.0),
        c=record(date="2026-01-01", score=150.0, planner="rnn"),
    )
    kinds = tables.load_records(tmp_path)
    assert [[each["file"] for each in records] for records in kinds] == [["c.json"], ["a.json"]]
    text = tables.render(kinds)
    assert "210.0 [209.0, 211.0] · 210 · 100 %" in text
    assert "200.0" not in text
    assert tables.render([]) == "No result files yet."


def test_several_trainings_become_one_row_with_the_score_of_each_beside_it(script, tmp_path):
    """Seeds at 200 and 210, episodes at ±2: mean 205, and the interval that `crossed_interval` gives."""
    tables = script("readme_tables")
    write(
        tmp_path,
        old=record(date="2026-01-01", score=150.0),
        zero=record(date="2026-01-02", score=200.0, training_seed=0),
        one=record(date="2026-01-02", score=210.0, training_seed=1),
    )
    (records,) = tables.load_records(tmp_path)
    assert [each["file"] for each in records] == ["zero.json", "one.json"]
    expected = crossed_interval(np.array([[202.0, 198.0], [212.0, 208.0]]))
    found = tables.estimate(records, "normalized_return")
    assert (found.mean, found.low, found.high) == (205, expected.low, expected.high)
    text = tables.render([records])
    assert "[200.0](benchmarks/maze_scores/results/zero.json) [210.0](" in text
    assert "| 2 × 2 |" in text


def test_trainings_that_met_other_episodes_are_not_averaged(script, tmp_path):
    tables = script("readme_tables")
    write(
        tmp_path,
        zero=record(date="2026-01-02", score=200.0, training_seed=0),
        one=record(date="2026-01-02", score=210.0, training_seed=1, start=2.0),
    )
    with pytest.raises(SystemExit, match="different episodes"):
        tables.render(tables.load_records(tmp_path))


def test_the_latency_table_is_that_of_the_newest_file(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(BENCHMARKS / "latency"))
    latency = importlib.import_module("run")
    sys.modules.pop("run")
    assert set(latency.EXPERIMENTS) <= set(group_choices("experiment"))
    assert latency.render(latency.newest_file(tmp_path)) == "No result file yet."
    row = record(date="2026-01-01", score=200.0) | {"experiment": "maze2d-large-pursuit", "budget": "default"}
    row |= {"plan_seconds": {"p50": 0.04, "p95": 0.05, "p99": 0.06, "plans": 9}, "plan_network": {"evaluations": 96.0}}
    facts = {"machine": "test", "threads": 2, "commit": "0" * 40, "load_average_before": [0.5], "note": ""}
    write(tmp_path, old={"rows": []}, recent=facts | {"rows": [row]})
    text = latency.render(latency.newest_file(tmp_path))
    assert "| maze2d-large-pursuit | default | 40 | 50 | 60 | 9 | 96 | 200.0 [199.0, 201.0] | 100.0 |" in text
    readme = (BENCHMARKS / "latency" / "README.md").read_text()
    assert latency.updated(readme) == readme


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


def test_the_table_of_training_lengths_is_that_of_the_newest_file(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(BENCHMARKS / "diffuser_length"))
    lengths = importlib.import_module("run")
    sys.modules.pop("run")
    assert lengths.render(lengths.newest_file(tmp_path)) == "No result file yet."
    row = record(date="2026-11-25", score=40.0) | {"step": 500, "windows": 32000, "n_episodes": 2, "seed": 1000}
    write(tmp_path, old={"rows": []}, recent={"machine": "test", "commit": "0" * 40, "rows": [row]})
    text = lengths.render(lengths.newest_file(tmp_path))
    assert "| maze2d-large | 500 | 1 / 4,000 | 40.0 [39.0, 41.0] | 40.0 | 100 | 4000.0 |" in text
