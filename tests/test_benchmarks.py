"""The scripts that make the README's tables, the training logs and the model card out of files."""

import importlib
import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from dfplan.cli.folders import group_choices
from dfplan.models.bundle import load_bundle, save_bundle

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    """A function that imports a script of the benchmarks."""
    for folder in (BENCHMARKS, BENCHMARKS / "training", BENCHMARKS / "maze_scores"):
        monkeypatch.syspath_prepend(str(folder))
    yield importlib.import_module
    for name in ("keep", "model_card", "maze_tables", "summary", "score_kinds", "run", "records", "frame", "crossed"):
        sys.modules.pop(name, None)


def record(
    *,
    date: str,
    score: float,
    planner: str = "transformer",
    controller: str = "pursuit",
    training_seed: int = 0,
    start: float = 1.0,
    data: str | None = None,
) -> dict:
    """A result file of two episodes that score two more and two less than the mean."""
    names = ("raw_return", "normalized_return", "latched_normalized_return", "first_touch_step", "planned_wall_share")
    metrics = {name: {"mean": score, "low": score - 1, "high": score + 1} for name in names}
    metrics |= {"success_rate": {"mean": 1.0, "low": 0.9, "high": 1.0}, "plan_seconds": {"p50": 0.01, "p95": 0.02}}
    kind = {"env": "maze2d-large", "goal": "fixed", "planner": planner, "controller": controller}
    episodes = [
        dict.fromkeys(names, score + change) | {"start": [start, 1.0], "goal": [7.0, 9.0], "success": True}
        for change in (2, -2)
    ]
    made = {"date": date, "metrics": metrics, "device": "cpu", "machine": "test", "n_episodes": 2, "episodes": episodes}
    return kind | made | {"weights": {"training_seed": training_seed, "sha256": "0" * 64, "data": data}}


def write(folder: Path, **records: dict) -> None:
    for name, each in records.items():
        (folder / f"{name}.json").write_text(json.dumps(each))


def files_of(kinds: dict) -> dict:
    return {kind.method: [each["file"] for each in records] for kind, records in kinds.items()}


def test_the_table_shows_the_newest_record_of_each_kind(script, tmp_path):
    tables = script("maze_tables")
    unnamed = record(date="2026-01-09", score=170.0, planner="rnn")
    del unnamed["weights"]["sha256"]
    write(
        tmp_path,
        b=record(date="2026-01-01", score=200.0),
        a=record(date="2026-01-02", score=210.0, data="resynthesised"),
        c=record(date="2026-01-01", score=150.0, planner="rnn"),
        d=unnamed,
    )
    kinds = tables.load_kinds(tmp_path)
    assert files_of(kinds) == {
        ("rnn", "shooting", "collected"): ["c.json"],
        ("transformer", "shooting", "resynthesised"): ["a.json"],
    }
    text = tables.render(kinds)
    assert "210.0 [209.0, 211.0] · 210 · 100 %" in text
    assert "200.0" not in text
    assert "170.0" not in text
    assert tables.render({}) == "No result files yet."


def test_data_as_collected_and_resynthesised_are_rows_of_their_own_and_what_rests_on_the_model_comes_first(
    script, tmp_path
):
    tables = script("maze_tables")
    actions = partial(record, date="2026-01-01", controller="actions")
    write(
        tmp_path,
        a=actions(score=230.0, data="resynthesised"),
        b=actions(score=220.0, data="collected"),
        c=record(date="2026-01-01", score=240.0, data="resynthesised"),
        d=record(date="2026-01-01", score=241.0, planner="grid", data="resynthesised", training_seed=2),
        e=record(date="2026-01-01", score=246.0, planner="oracle", controller="oracle"),
        f=record(date="2026-01-01", score=255.0, planner="bound", controller="none"),
    )
    lines = tables.render(tables.load_kinds(tmp_path)).splitlines()
    rows = [line.split(" |")[0] for line in lines if line.startswith("| Maze2D: ") and "published" not in line]
    assert rows == [
        "| Maze2D: dfplan, transformer, planned actions, data as collected",
        "| Maze2D: dfplan, transformer, planned actions, data resynthesised",
        "| Maze2D: dfplan, transformer, shooting tracker, data resynthesised",
        "| Maze2D: shortest path on visited cells (*grid*), shooting tracker, no network",
        "| Maze2D: heuristic with privileged information (*oracle*)",
        "| Maze2D: kinematic upper bound",
    ]


def test_what_others_published_stands_with_its_protocol(script):
    tables = script("maze_tables")
    notes = list(tables.load_notes())
    assert len(notes) == len(set(notes)) >= 5
    assert all(note.endswith("]") for note in notes)
    assert {(each["method"], each["goal"]) for each in tables.load_published()} >= {
        ("Diffusion Forcing", "fixed"),
        ("Diffusion Forcing", "random"),
        ("AWAC", "fixed"),
        ("HorizonFlow", "fixed"),
    }


def test_several_trainings_become_one_row_with_the_score_of_each_beside_it(script, tmp_path):
    """Seeds at 200 and 210, episodes at ±2: mean 205, and the interval that `crossed_interval` gives."""
    tables = script("maze_tables")
    write(
        tmp_path,
        old=record(date="2026-01-01", score=150.0),
        zero=record(date="2026-01-02", score=200.0),
        one=record(date="2026-01-02", score=210.0, training_seed=1),
    )
    ((kind, records),) = tables.load_kinds(tmp_path).items()
    assert (kind.env, [each["file"] for each in records]) == ("maze2d-large", ["zero.json", "one.json"])
    expected = script("crossed").crossed_interval(np.array([[202.0, 198.0], [212.0, 208.0]]))
    found = tables.estimate(records, "normalized_return")
    assert (found.mean, found.low, found.high) == (205, expected.low, expected.high)
    text = tables.render({kind: records})
    assert "[200.0](../../benchmarks/maze_scores/results/zero.json) [210.0](" in text
    assert "| 2 × 2 |" in text


def test_trainings_that_met_other_episodes_are_not_averaged(script, tmp_path):
    tables = script("maze_tables")
    write(
        tmp_path,
        zero=record(date="2026-01-02", score=200.0),
        one=record(date="2026-01-02", score=210.0, training_seed=1, start=2.0),
    )
    with pytest.raises(SystemExit, match="different episodes"):
        tables.render(tables.load_kinds(tmp_path))


def test_the_summary_has_what_the_files_have_and_says_what_they_lack(script, tmp_path, monkeypatch, capsys):
    summary = script("summary")
    actions = partial(record, date="2026-01-01", controller="actions", data="resynthesised")
    for seed, score in enumerate((230.0, 226.0, 231.0)):
        write(tmp_path, **{f"actions{seed}": actions(score=score, training_seed=seed)})
    write(tmp_path, grid=record(date="2026-01-01", score=241.0, planner="grid"))
    figures, missing = summary.summarize(summary.load_kinds(tmp_path))
    assert set(figures) == {"maze2d-large.actions", "maze2d-large.actions_spread", "maze2d-large.grid"}
    assert figures["maze2d-large.grid"] == {"mean": 241.0, "low": 240.0, "high": 242.0, "n": 2}
    assert figures["maze2d-large.actions"]["mean"] == pytest.approx(229)
    assert figures["maze2d-large.actions"]["n"] == 6
    assert figures["maze2d-large.actions_spread"] == 5
    assert len(figures) + len(missing) == 6 * 7
    assert "maze2d-large.actions_collected" in missing
    (tmp_path / "actions2.json").unlink()
    assert "maze2d-large.actions_spread" in summary.summarize(summary.load_kinds(tmp_path))[1]
    monkeypatch.setattr(summary, "RESULTS", tmp_path)
    monkeypatch.setattr(summary, "SUMMARY", tmp_path / "summary.out")
    assert summary.BENCHMARK.main([]) == 0
    assert "no result files for multi2d-umaze.tracker; left out" in capsys.readouterr().out
    assert json.loads((tmp_path / "summary.out").read_text()).keys() == figures.keys() - {"maze2d-large.actions_spread"}


def test_the_summary_is_that_of_the_result_files():
    command = [sys.executable, BENCHMARKS / "maze_scores" / "summary.py", "--check"]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0, "run `make tables` and commit"


@pytest.mark.parametrize(
    ("name", "least"),
    [("maze2d-umaze", 155), ("maze2d-medium", 175), ("maze2d-large", 232),
     ("multi2d-umaze", 168), ("multi2d-medium", 188), ("multi2d-large", 235)],
)  # fmt: skip
def test_planned_actions_score_what_they_must_in_every_training(name, least):
    figures = json.loads((BENCHMARKS / "maze_scores" / "summary.json").read_text())
    assert figures[f"{name}.actions"]["mean"] >= least
    assert figures[f"{name}.actions"]["n"] == 600
    assert figures[f"{name}.actions_spread"] <= 5


def test_every_experiment_finds_the_weights_of_each_training_by_name(script, tmp_path, capsys):
    run = script("run")
    for name in ("maze2d-large", "maze2d-large-rnn", "maze2d-large-collected", "maze2d-eval-large"):
        (tmp_path / name).mkdir()
    trainings = [("one", tmp_path), ("two", tmp_path)]
    expected = {
        "maze2d-large-pursuit": "maze2d-large",
        "multi2d-large-actions": "maze2d-large",
        "maze2d-large-rnn-actions": "maze2d-large-rnn",
        "multi2d-large-collected-actions": "maze2d-large-collected",
        "maze2d-eval-large-actions": "maze2d-eval-large",
    }
    for name, weights in expected.items():
        found = run.find_trainings(run.read_experiment(name), trainings)
        assert found == [("one", [f"weights={tmp_path / weights}"]), ("two", [f"weights={tmp_path / weights}"])]
    assert run.find_trainings(run.read_experiment("maze2d-large-grid"), trainings) == [
        ("one", [f"weights={tmp_path / 'maze2d-large'}"])  # a map and no network: once
    ]
    assert run.find_trainings(run.read_experiment("maze2d-eval-umaze-oracle"), trainings) == [("bundled", [])]
    assert run.find_trainings(run.read_experiment("maze2d-umaze-pursuit"), trainings) == []
    assert "one: no maze2d-umaze in " in capsys.readouterr().out
    with pytest.raises(SystemExit, match="no experiment 'maze2d-huge'"):
        run.read_experiment("maze2d-huge")


def test_weights_that_are_called_collected_have_to_be(script, tmp_path):
    run, output = script("run"), tmp_path / "output"
    output.mkdir()
    experiment = run.read_experiment("maze2d-large-collected-actions")
    found = record(date="2026-01-01", score=1.0, data="resynthesised") | {"config": {"weights": "a/path"}}
    (output / "results.json").write_text(json.dumps(found))
    with pytest.raises(SystemExit, match="of seed1 learned from data resynthesised"):
        run.found(output, experiment=experiment, label="seed1")
    found["weights"]["data"] = "collected"
    (output / "results.json").write_text(json.dumps(found))
    name, kept = run.found(output, experiment=experiment, label="seed1")
    assert name == "maze2d-large-collected-actions_seed1"
    assert kept["config"]["weights"] == "seed1"


@pytest.fixture
def benchmark(script, tmp_path):
    """A benchmark in a folder of its own: it measures three, and its page says how many files there are."""
    frame = script("frame")

    def pages():
        return {tmp_path / "README.md": f"{len(list((tmp_path / 'results').glob('*.json')))} files\n"}

    return frame.Benchmark(
        says="counts", folder=tmp_path, seed=7, quick="all", pages=pages,
        measure=lambda arguments: [("three", {"score": 3, "seed": arguments.seed, "record_sha256": "of another"})],
    )  # fmt: skip


def test_a_measurement_leaves_a_sealed_record_of_when_by_what_and_under_what_load(benchmark, tmp_path):
    assert benchmark.main(["--uncommitted", "--note", "alone", "--seed", "8"]) == 0
    (path,) = (tmp_path / "results").glob("*_three.json")
    found = json.loads(path.read_text())
    assert (found["score"], found["seed"], found["note"]) == (3, 8, "alone")
    assert {"commit", "date", "machine", "versions"} < set(found)
    assert len(found["load_before"]) == len(found["load_after"]) == 3
    assert list(found)[-1] == "record_sha256"
    assert len(found["record_sha256"]) == 64
    assert (tmp_path / "README.md").read_text() == "1 files\n"


def test_a_check_writes_nothing_and_tells_stale_pages_from_current_ones(benchmark, tmp_path):
    assert benchmark.main(["--check"]) == 1
    assert not list(tmp_path.iterdir())
    assert benchmark.main(["--table"]) == 0
    assert benchmark.main(["--check"]) == 0
    (tmp_path / "README.md").write_text("2 files\n")
    assert benchmark.main(["--check"]) == 1


def test_a_quick_run_is_kept_under_runs_alone(benchmark, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert benchmark.main(["--quick"]) == 0
    (path,) = tmp_path.rglob("*_three.json")
    assert path.parent.parent == tmp_path / "runs"
    assert not (tmp_path / "README.md").exists()


def test_nothing_is_measured_from_code_that_is_not_committed_unless_asked(benchmark, monkeypatch, tmp_path, capsys):
    frame = sys.modules["frame"]
    monkeypatch.setattr(frame, "find_commit", lambda: "0" * 40 + "-dirty")
    with pytest.raises(SystemExit) as stopped:
        benchmark.main([])
    assert stopped.value.code == 2
    assert "not committed" in capsys.readouterr().err
    assert benchmark.main(["--uncommitted"]) == 0
    assert benchmark.main(["--output", str(tmp_path / "elsewhere")]) == 0
    monkeypatch.setattr(frame, "find_commit", lambda: "0" * 40)
    (path,) = (tmp_path / "results").glob("*.json")
    path.unlink()
    assert benchmark.main([]) == 0


def test_a_result_file_is_added_and_never_replaced(benchmark, tmp_path):
    frame = sys.modules["frame"]
    path = frame.add_record({"score": 1}, path=tmp_path / "a.json")
    with pytest.raises(SystemExit, match="added, never edited"):
        frame.add_record({"score": 2}, path=path)
    assert json.loads(path.read_text())["score"] == 1


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
    assert latency.pages() == {BENCHMARKS / "latency" / "README.md": readme}


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


def test_the_page_says_of_training_speed_what_was_measured():
    newest = max((BENCHMARKS / "training_speed" / "results").glob("*.json"))
    record = json.loads(newest.read_text())
    compiled = {row["matrix_precision"]: row["seconds"] for row in record["rows"] if row["compiled"]}
    ours, torchs = (round(record["recipe_steps"] * compiled[name] / 60) for name in ("float32", "bfloat16"))
    said = " ".join((BENCHMARKS.parent / "docs" / "reference" / "training.md").read_text().split())
    assert f"take {ours} minutes on one core" in said
    assert f"({torchs} with Muon's iteration in bfloat16" in said
