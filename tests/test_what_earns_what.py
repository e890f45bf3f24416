"""The benchmark of parts: one thing is changed at a time, and what is kept is what the files say."""

import argparse
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks" / "what_earns_what"


@pytest.fixture
def script(monkeypatch):
    for folder in (FOLDER.parent, FOLDER):
        monkeypatch.syspath_prepend(str(folder))
    yield __import__
    for name in ("summary", "run", "records", "worlds"):
        sys.modules.pop(name, None)


def test_the_summary_is_that_of_the_result_files(script, monkeypatch):
    assert script("summary").BENCHMARK.main(["--check"]) == 0


def test_an_option_takes_the_place_of_another_of_its_name(script):
    assert script("run").changed(("value=advantage", "a=1"), ("value=features", "b=2")) == (
        "value=features",
        "a=1",
        "b=2",
    )


def test_every_row_is_of_a_training_that_there_is(script):
    run = script("run")
    trainings = {"dfplan", "bc", "inverse", *run.VARIANTS}
    for row in run.OWN_ROWS.values():
        assert {row.training, *row.others.values()} <= trainings


def test_weights_that_an_option_names_are_of_the_same_seed(script):
    worlds = script("worlds")
    row = worlds.Row("dfplan", ("controller=inverse",), {"controller.inverse": "inverse"})
    arguments = argparse.Namespace(runs=Path("runs"), trainings=[0, 2])
    assert list(worlds.words_of(row, "push", arguments=arguments)) == [
        [f"weights=runs/push-dfplan-{seed}", f"controller.inverse=runs/push-inverse-{seed}", "controller=inverse"]
        for seed in (0, 2)
    ]
