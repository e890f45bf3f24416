"""The results file has what is promised, in strict JSON, and the same evaluation gives the same record."""

import json

import numpy as np
import pytest
from rich.console import Console

from dfplan.domains.maze.protocol import MazeProtocol
from dfplan.errors import UserError
from dfplan.evaluation.plan_recorder import PlanRecorder
from dfplan.evaluation.report import build_record, find_commit, render_table, write_record
from dfplan.evaluation.rollout import Rollouts
from dfplan.files import is_sealed

MAZE = MazeProtocol("maze2d-large-v1")


def _rollouts(*, at_goal=((0, 1, 1, 0), (0, 0, 0, 0), (0, 0, 1, 1)), planned=True):
    at_goal = np.array(at_goal, bool)
    episodes, steps = at_goal.shape
    generator = np.random.default_rng(0)
    plans = PlanRecorder(episodes, misplaced=MAZE.misplaced)
    if planned:
        plans.points[:], plans.misplaced_points[:] = 50, [0, 5, 10][:episodes]
        plans.seconds, plans.largest_batch = np.linspace(0.1, 0.2, 101).tolist(), 3
        plans.evaluations, plans.token_evaluations = [80, 160], [800, 900]
    return Rollouts(
        env_id="maze2d-large-v1",
        seed=7,
        states=list(generator.uniform(1, 7, size=(episodes, steps + 1, 4)).astype(np.float32)),
        actions=list(np.zeros((episodes, steps, 2), np.float32)),
        rewards=list(at_goal.astype(np.float32)),
        success=list(at_goal),
        goals=list(np.tile([7.0, 9.0], (episodes, steps + 1, 1))),
        terminated=np.zeros(episodes, bool),
        plans=plans,
        num_envs=3,
        seconds=1.25,
    )


def _record(**changes):
    rollouts = _rollouts(**changes)
    facts = {"env": "maze2d-large", "planner": "transformer", "controller": "tracker", "device": "cpu"}
    return build_record(rollouts, MAZE.measure(rollouts), **facts)


def test_a_record_has_every_promised_field():
    record = _record()
    assert (record["env"], record["goal"], record["seed"], record["device"]) == ("maze2d-large", "fixed", 7, "cpu")
    assert (record["planner"], record["controller"], record["n_episodes"]) == ("transformer", "tracker", 3)
    assert record["commit"]
    metrics = record["metrics"]
    for name in ("raw_return", "normalized_return", "latched_normalized_return", "success_rate", "first_touch_step"):
        assert metrics[name]["low"] <= metrics[name]["mean"] <= metrics[name]["high"]
    assert metrics["raw_return"]["mean"] == pytest.approx(4 / 3)
    assert metrics["first_touch_step"]["mean"] == 2.5
    assert record["failures"] == 1
    assert metrics["planned_wall_share"]["mean"] == pytest.approx(0.1)
    assert metrics["plan_seconds"]["p50"] == pytest.approx(0.15)
    assert metrics["plan_seconds"]["p95"] == pytest.approx(0.195)
    assert metrics["plan_seconds"]["p99"] == pytest.approx(0.199)
    assert record["plan_network"] == {"evaluations": 120, "token_evaluations": 850}
    assert metrics["plan_seconds"]["batch"] == 3
    assert {"python", "torch", "mujoco", "numpy"} <= record["versions"].keys()


def test_the_mean_of_the_episode_list_is_the_reported_mean():
    record = _record()
    for name in ("raw_return", "normalized_return", "latched_normalized_return"):
        mean = np.mean([episode[name] for episode in record["episodes"]])
        assert mean == pytest.approx(record["metrics"][name]["mean"])
    assert [episode["first_touch_step"] for episode in record["episodes"]] == [2, None, 3]
    assert record["episodes"][0]["goal"] == [7.0, 9.0]
    assert len(record["episodes"][0]["start"]) == 2
    assert [episode["planned_wall_share"] for episode in record["episodes"]] == [0, 0.1, 0.2]


def test_a_record_survives_strict_json_even_if_nothing_was_reached_or_planned(tmp_path):
    record = _record(at_goal=((0, 0),), planned=False)
    path = write_record(record, path=tmp_path / "runs" / "results.json")
    read = json.loads(path.read_text(), parse_constant=pytest.fail)
    assert is_sealed(path.read_bytes(), read, seal="record_sha256")
    del read["record_sha256"]
    assert read == record
    assert read["metrics"]["first_touch_step"] == {"mean": None, "low": None, "high": None}
    assert read["metrics"]["plan_seconds"]["p50"] is None
    assert read["plan_network"] == {"evaluations": None, "token_evaluations": None}
    assert read["episodes"][0]["planned_wall_share"] is None
    assert render_table(read, MAZE.rows).row_count == 6


def test_the_table_shows_the_scores_and_the_failures():
    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(render_table(_record(), MAZE.rows))
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= 80
    for expected in (
        "maze2d-large",
        "66.7",
        "step (1 never touched)",
        "150.0 ms",
        "each, up to 3 at once",
        "850 tokens",
    ):
        assert expected in text


def test_an_existing_result_survives_a_record_that_cannot_be_written(tmp_path):
    path = write_record(_record(), path=tmp_path / "results.json")
    before = path.read_text()
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_record({"mean": float("nan")}, path=path)
    assert path.read_text() == before
    with pytest.raises(UserError, match="choose another folder"):
        write_record(_record(), path=path / "below a file.json")


def test_the_commit_is_a_hash_in_a_clone_and_a_version_elsewhere():
    commit = find_commit()
    assert commit.startswith("v") or len(commit.removesuffix("-dirty")) == 40


def test_the_commit_is_found_without_what_the_environment_names(tmp_path, monkeypatch):
    before = find_commit()
    program = tmp_path / "git"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path / 'ran'}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_EXEC_PATH", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.fsmonitor")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", str(program))
    monkeypatch.chdir(tmp_path)
    assert find_commit() == before
    assert not (tmp_path / "ran").exists()


def test_a_repository_around_an_installed_package_is_not_asked(tmp_path, monkeypatch):
    inside = tmp_path / "venv" / "lib" / "dfplan" / "evaluation" / "report.py"
    (tmp_path / ".git").mkdir()
    monkeypatch.setattr("dfplan.evaluation.report.__file__", str(inside))
    monkeypatch.setattr("dfplan.evaluation.report.subprocess.run", lambda *words, **how: pytest.fail("git was run"))
    assert find_commit().startswith("v")
