"""The side by side benchmark: it runs as documented, and its tables are those of its files."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks" / "side_by_side"


@pytest.fixture
def script(monkeypatch):
    """A function that imports a script of the benchmark."""
    monkeypatch.syspath_prepend(str(FOLDER))
    yield importlib.import_module
    for name in ("run", "tables"):
        sys.modules.pop(name, None)


def agent(name: str, scores: list[float], *, p50: float | None, calls: int = 10) -> dict:
    mean = float(np.mean(scores))
    seconds = dict.fromkeys(("p50", "p95", "p99"), p50) | {"calls": calls}
    cost = {
        "plan_seconds": seconds,
        "plans_per_second": None if p50 is None else 1 / p50,
        "decisions_per_second": 1000.0,
        "peak_bytes": 300 * 2**20,
        "plan_samples": [] if p50 is None else [p50, p50],
    }
    return {
        "name": name,
        "metrics": {
            "normalized_return": {"mean": mean, "low": mean - 1, "high": mean + 1},
            "success_rate": {"mean": 1.0},
        },
        "cost": {"1": cost, "32": cost},
        "plan_network": {"evaluations": None if p50 is None else 100.0},
        "num_parameters": 0 if p50 is None else 1000,
        "weights": {"training_commit": "none of them"},
        "scores": scores,
    }


def record(env: str, goal: str, *agents: dict, date: str = "2026-01-01T00:00:00") -> dict:
    shared = {"n_episodes": 2, "seed": 0, "machine": "test", "threads": 1, "load_average_before": 0.5}
    return {"env": env, "goal": goal, "date": date, "commit": "0" * 40, "agents": list(agents), **shared}


def both(env: str, goal: str, *, shift: float = 0.0) -> dict:
    first = agent("first", [100.0, 110.0 + shift], p50=2.0)
    return record(
        env, goal, first, agent("ours", [205.0, 215.0 + shift], p50=0.02), agent("told", [300.0, 300.0], p50=None)
    )


def test_the_newest_file_of_each_task_counts(script, tmp_path):
    tables = script("tables")
    for name, each in {
        "b": both("maze2d-umaze", "random"),
        "a": both("maze2d-umaze", "random", shift=50) | {"date": "2026-01-02T00:00:00"},
        "c": both("maze2d-large", "fixed"),
    }.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(each))
    found = tables.load_newest(tmp_path)
    assert list(found) == [("maze2d-large", "fixed"), ("maze2d-umaze", "random")]
    assert found["maze2d-umaze", "random"]["file"] == "a.json"
    assert tables.render({}) == "No result files yet."


def test_tables_pool_tasks_and_compare_with_the_first_agent(script):
    """Ours is 105 above the first on every episode, and 100 times as fast; every episode of ours beats every other."""
    tables = script("tables")
    tasks = (("maze2d-umaze", "fixed", 0), ("maze2d-large", "fixed", 10))
    records = {(env, goal): both(env, goal, shift=shift) | {"file": "x.json"} for env, goal, shift in tasks}
    text = tables.render(records)
    row = next(line for line in text.splitlines() if line.startswith("| ours | 210.0"))
    assert "| +105.0 [+105.0, +105.0] | 1.00 [1.00, 1.00] |" in row
    assert "| 210.0 [205.0, 220.0] |" in row  # of 205 205 215 225 the middle two
    speeds = [line for line in text.splitlines() if line.startswith("| ours | 20.0")]
    assert len(speeds) == 2
    assert "| 50.0 | 100 |" in speeds[0]
    assert "| 1000 | 1.0 | 1000 | 1.0 |" in speeds[0]  # decisions/s, as many as the first has
    assert "| told | – / – / – | – | – |" in text
    assert "![latency](plots/latency.png)" in text
    assert "benchmarks/side_by_side/results/x.json" in tables.summary(records)


def test_a_plan_that_does_not_lead_to_the_goal_is_compared_by_decisions_alone(script):
    tables = script("tables")
    each = both("maze2d-large", "fixed")
    each["agents"][1]["options"] = ["controller=actions", "planner.horizon=16"]
    line = next(row for row in tables.speeds({("maze2d-large", "fixed"): each}, "maze2d-large") if "| ours |" in row)
    assert "| 50.0 | – | 20.0 / 20.0 / 20.0 | 50.0 | – | 1000 | 1.0 | 1000 | 1.0 |" in line


def test_percentiles_of_a_few_calls_are_not_shown(script):
    tables = script("tables")
    each = record("maze2d-large", "fixed", agent("slow", [1.0, 2.0], p50=2.0, calls=3))
    (*_, line) = tables.speeds({("maze2d-large", "fixed"): each}, "maze2d-large")
    assert line.startswith("| slow | 2000.0 (of 3) | 0.5 |")


def test_how_often_the_heuristic_is_beaten_and_what_others_return_in_the_same_episodes(script, monkeypatch, tmp_path):
    tables, newest = script("tables"), script("newest")
    beginnings = [{"start": [1.0, 1.0], "goal": [7.0, 9.0]}, {"start": [2.0, 1.0], "goal": [7.0, 9.0]}]
    agents = agent("default", [205.0, 215.0], p50=0.02), agent("oracle", [200.0, 220.0], p50=None)
    each = record("maze2d-large", "fixed", *agents) | {"episodes": beginnings}
    (said, _) = tables.heuristic({("maze2d-large", "fixed"): each})
    assert "*default* beats it in 50 to 50 %" in said
    assert tables.heuristic({("maze2d-large", "fixed"): both("maze2d-large", "fixed")}) == []
    for planner, scores in (("bound", (240.0, 250.0)), ("grid", (210.0, 220.0))):
        pairs = zip(beginnings, scores, strict=True)
        episodes = [one | {"normalized_return": score, "success": True} for one, score in pairs]
        found = {"env": "maze2d-large", "goal": "fixed", "planner": planner, "episodes": episodes}
        (tmp_path / f"2026-01-01-0000_maze2d-large-{planner}.json").write_text(json.dumps(found))
    monkeypatch.setattr(tables.known_episodes, "__defaults__", (tmp_path,))
    records = {("maze2d-large", "fixed"): newest.with_grid(each) | {"file": "x.json"}}
    lines = tables.render(records).splitlines()
    assert "| kinematic upper bound | 245.0 |  |  |  |" in lines
    assert any(line.startswith("| grid † | 215.0 [210.0, 220.0] · 100 % | 215.0") for line in lines)
    assert sum(line.startswith("| grid") for line in lines) == 1  # its scores; what it costs was not measured beside
    assert "† scores of the same episodes" in lines[-1]
    each["episodes"][1]["start"] = [3.0, 1.0]
    assert newest.with_grid(each) == each


def test_an_agent_that_missed_a_task_is_not_pooled(script):
    tables = script("tables")
    records = {("maze2d-umaze", "fixed"): both("maze2d-umaze", "fixed"), ("maze2d-large", "fixed"): both("x", "fixed")}
    del records["maze2d-large", "fixed"]["agents"][1]
    line = next(line for line in tables.overview(records) if line.startswith("| ours"))
    assert line.endswith("| – | – | – | – |")


def test_the_training_behind_the_weights_is_found_by_checksum_or_in_old_logs_by_commit(script, monkeypatch, tmp_path):
    tables = script("tables")
    monkeypatch.setattr(tables, "SUMMARIES", tmp_path)
    log = {"env": "maze2d-large", "commit": "one", "num_steps": 6000, "batch_size": 64, "wall_seconds": 600}
    for name, facts in {
        "a": {"sha256": "x", "num_steps": 1000},
        "b": {"sha256": "y", "num_steps": 2000},
        "old": {},
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "summary.json").write_text(json.dumps(log | facts))

    def found(maze="maze2d-large", **weights):
        return tables.training_of({"weights": weights}, maze)

    assert found(sha256="y", training_commit="one") == "2,000 × 64, 10 min"
    assert found(sha256="of no log", training_commit="one") == "6,000 × 64, 10 min"
    assert found("maze2d-umaze", training_commit="one") == "–"
    assert found(sha256="z", training_commit="two") == found() == "–"


def test_plots_are_drawn(script, tmp_path):
    tables = script("tables")
    tables.draw({("maze2d-large", "fixed"): both("maze2d-large", "fixed")}, tmp_path / "plots")
    for name in ("score_against_time", "latency", "profile"):
        assert (tmp_path / "plots" / f"{name}.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_the_tables_are_those_of_the_result_files():
    answer = subprocess.run([sys.executable, FOLDER / "tables.py", "--check"], check=False)
    assert answer.returncode == 0, "run benchmarks/side_by_side/tables.py and commit what it writes"


@pytest.mark.slow
def test_a_quick_run_writes_a_file_a_task_and_keeps_to_runs(tmp_path):
    words = ["--quick", "--agents", "default,fast", "--tasks", "maze2d-umaze-random", "--threads", "1"]
    small = ["--set", "n_episodes=2", "n_envs=2", "n_plans=1"]
    command = [sys.executable, FOLDER / "run.py", *words, *small]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert "default" in answer.stdout
    (path,) = (tmp_path / "runs" / "side_by_side-quick").glob("*_maze2d-umaze-random.json")
    (duration,) = path.parent.glob("*_duration.json")
    assert 0 < json.loads(duration.read_text())["minutes"] < 10
    assert json.loads(path.read_text())["n_episodes"] == 2
    assert subprocess.run([*command[:2], "--tasks", "nowhere"], capture_output=True, check=False).returncode == 2


def test_an_agent_that_was_not_trained_is_left_out_and_said(script, monkeypatch, tmp_path, capsys):
    run = script("run")
    monkeypatch.chdir(tmp_path)
    agents = ["diffuser", "default", "diffuser_actions"]
    assert run.present(agents, env="maze2d-umaze") == ["default"]
    assert "no runs/train/diffuser-maze2d-umaze: diffuser left out" in capsys.readouterr().out
    (tmp_path / "runs" / "train" / "diffuser-maze2d-umaze").mkdir(parents=True)
    assert run.present(agents, env="maze2d-umaze") == agents
