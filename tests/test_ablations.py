"""The ablations: every row is one that the commands accept, rows are paired, and the tables are those of the files."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose

from dfplan.cli.compose import reading, to_schema
from dfplan.evaluation.report import write_record

FOLDER = Path(__file__).parents[1] / "benchmarks" / "ablations"


@pytest.fixture
def script(monkeypatch):
    """A function that imports a script of the ablations."""
    monkeypatch.syspath_prepend(str(FOLDER))
    yield importlib.import_module
    for name in ("run", "report"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("file", ["rows.yaml", "training_rows.yaml"])
def test_every_row_is_one_that_the_commands_accept(script, file):
    questions = script("run").load_questions(FOLDER / file)
    with reading(None):
        for name, group in questions["groups"].items():
            assert group["question"].endswith("?"), name
            assert group.keys() <= {"question", "situations", "rows", "episodes"}
            for options in group["rows"].values():
                options = options if isinstance(options, dict) else {"eval": options}
                assert options.keys() <= {"eval", "train"}
                for situation in group["situations"]:
                    words = [*questions["situations"][situation], *options.get("eval", [])]
                    to_schema("eval", compose("eval", overrides=words))
                if "train" in options:
                    to_schema("train", compose("train", overrides=[*questions["train"], *options["train"]]))


@pytest.mark.parametrize("file", ["rows.yaml", "training_rows.yaml"])
def test_every_question_has_an_answer(script, file):
    answered = script("report").load_newest(FOLDER / "results")
    asked = script("run").load_questions(FOLDER / file)["groups"]
    assert asked.keys() <= answered.keys(), "measure or delete: " + ", ".join(asked.keys() - answered.keys())


def row(name: str, scores: list[float], *, situation: str = "pursued", starts: int = 0) -> dict:
    """What run.py writes of a row."""
    mean = sum(scores) / len(scores)
    names = ("normalized_return", "latched_normalized_return", "success_rate", "first_touch_step", "planned_wall_share")
    seconds = {"p50": 0.05, "p95": 0.07}
    return {
        "row": name,
        "situation": situation,
        "metrics": {each: {"mean": mean, "low": mean - 1, "high": mean + 1} for each in names},
        "scores": scores,
        "starts": starts,
        "plans_per_episode": 2.0,
        "plan_network": {"evaluations": 100.0, "token_evaluations": None},
        "plan_seconds_alone": seconds,
        "plan_seconds_together": seconds,
    }


def record(*rows: dict, date: str = "2026-01-01T00:00:00") -> dict:
    shared = {"commit": "0" * 40, "n_episodes": 2, "seed": 1000, "machine": "test"}
    return {"group": "slope", "question": "Which?", "date": date, "file": "a.json", **shared, "rows": list(rows)}


def test_rows_are_compared_with_the_first_of_their_situation_episode_by_episode(script):
    """Both episodes differ by exactly 5, so the interval of the difference is a point however wide the scores are."""
    first, second = row("one", [0.0, 200.0]), row("two", [5.0, 205.0])
    other = row("one", [1.0, 1.0], situation="planned actions")
    text = script("report").section(record(first, second, other))
    assert "| one | 100.0 [99.0, 101.0] | – | 100.0 |" in text
    assert "| two | 105.0 [104.0, 106.0] | +5.0 [+5.0, +5.0] |" in text
    assert "| 100 | – | 50 / 70 | 50 |" in text
    assert text.count("| 1.0 [0.0, 2.0] | – |") == 1


def test_the_newest_file_of_a_group_counts(script, tmp_path):
    report = script("report")
    for name, date in (("b", "2026-01-01T00:00:00"), ("a", "2026-01-02T00:00:00")):
        write_record(record(row("one", [1.0, 2.0]), date=date), path=tmp_path / f"{name}.json")
    assert report.load_newest(tmp_path)["slope"]["file"] == "a.json"
    assert report.render({}) == "No result files yet."


def test_rows_of_other_episodes_are_not_compared(script):
    run = script("run")
    run.check_paired([row("one", [1.0]), row("two", [2.0]), row("two", [2.0], situation="other", starts=1)])
    with pytest.raises(RuntimeError, match="two met other episodes"):
        run.check_paired([row("one", [1.0]), row("two", [2.0], starts=1)])


def test_one_training_serves_every_row_that_asks_for_it(script, monkeypatch, tmp_path):
    run, trainings, evaluations = script("run"), [], []

    def train(words, folder):
        trainings.append(words)
        return {"folder": folder, "log": {"loss": 1.0}}

    def measure(words, *, budget, folder):
        evaluations.append(words)
        return {"starts": []}, dict.fromkeys(run.SHARED)

    monkeypatch.setattr(run, "train", train)
    monkeypatch.setattr(run, "measure", measure)
    questions, trained = run.load_questions(FOLDER / "training_rows.yaml"), {}
    rest = {"questions": questions, "budget": run.Budget(), "words": ["seed=1000"], "trained": trained}
    for group in ("causality", "moving_average"):
        found = run.run_group(group, folder=tmp_path, **rest)
        assert len(found["rows"]) == 2 * len(questions["groups"][group]["rows"])
    assert len(trainings) == len(set(trainings)) == 5  # four ways to see, of which the first again, and no average
    assert f"weights={tmp_path}/training-0" in evaluations[0]
    assert "planner.num_levels=20" in evaluations[8]
    assert evaluations[8][-2:] == [f"weights={tmp_path}/training-3", "seed=1000"]


def test_a_plot_is_drawn_of_a_record(script, tmp_path):
    path = tmp_path / "plots" / "slope.png"
    script("report").draw(record(row("one", [1.0, 2.0]), row("two: more", [2.0, 3.0])), path)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_the_tables_are_those_of_the_result_files():
    answer = subprocess.run([sys.executable, FOLDER / "report.py", "--check"], check=False)
    assert answer.returncode == 0, "run benchmarks/ablations/report.py and commit its README.md and plots"


@pytest.mark.slow
def test_a_group_runs():
    command = [sys.executable, FOLDER / "run.py", "--quick", "quorum"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "half of them" in answer.stdout
    assert subprocess.run([*command[:3], "nothing"], capture_output=True, check=False).returncode == 2
