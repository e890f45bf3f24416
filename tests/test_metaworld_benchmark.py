"""The benchmark of Meta-World: its figures are the newest of the files, and what comes of them together."""

import json
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks" / "metaworld"


@pytest.fixture
def summary(monkeypatch):
    for folder in (FOLDER.parent, FOLDER):
        monkeypatch.syspath_prepend(str(folder))
    yield __import__("summary")
    for name in ("summary", "run", "records", "worlds"):
        sys.modules.pop(name, None)


def record(summary, date, *, name, share):
    return {"date": date, "figures": {f"{name}.dfplan": {"mean": share, "low": 0.0, "high": 1.0, "n": 50}}}


def test_the_mean_and_the_worst_are_of_the_newest_of_all_tasks(summary):
    tasks = summary.TASKS
    records = [record(summary, "2026-01-02", name=tasks[0], share=0.5)]
    records += [record(summary, "2026-01-01", name=task, share=1.0) for task in tasks]
    figures = summary.summarize(records)
    assert figures["worst.dfplan"]["mean"] == 0.5
    assert figures["mean.dfplan"]["mean"] == pytest.approx(0.95)
    assert figures["mean.dfplan"]["n"] == 500
    assert "mean.bc" not in figures
    assert "mean.dfplan" not in summary.summarize(records[:-1])  # a task is missing


def test_the_summary_is_that_of_the_result_files(summary, monkeypatch):
    assert summary.BENCHMARK.main(["--check"]) == 0


def test_every_result_says_how_its_data_were_made():
    for path in (FOLDER / "results").glob("*.json"):
        told = json.loads(path.read_text())
        assert told["data"]["noise"] > 0
        assert told["episode_seed"] == 1000
