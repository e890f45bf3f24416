"""Logging: what is written, and that it never stops a training."""

import builtins
import importlib.util
import json
import math
import os

import pytest
import torch
from tiny_task import TinyTask, train_tiny

from dfplan.errors import UserError
from dfplan.training import wandb_logger
from dfplan.training.log import MAX_BYTES, MetricsFile, RunningMeans


def test_the_file_holds_one_object_a_line_and_null_for_what_is_not_finite(tmp_path):
    log = MetricsFile(tmp_path / "metrics.jsonl", first_step=0)
    log(1, {"loss": 0.5})
    log(2, {"loss": math.nan, "other": -math.inf})
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert lines == [{"step": 1, "loss": 0.5}, {"step": 2, "loss": None, "other": None}]


def test_a_log_that_goes_on_drops_later_and_torn_lines(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n{"step": 2}\nnoise\n[]\n{"step": 3}\n{"step": 2, "lo')
    MetricsFile(path, first_step=2)(4, {})
    assert [json.loads(line)["step"] for line in path.read_text().splitlines()] == [1, 2, 4]


def test_running_means_count_each_name_for_itself_and_survive_json():
    means = RunningMeans()
    means.add({"loss": torch.tensor(1.0), "share": 0.25})
    means.add({"loss": torch.tensor(4.0)})
    restored = RunningMeans()
    restored.load_state(json.loads(json.dumps(means.state())))
    assert means.means() == restored.means() == {"loss": 2.5, "share": 0.25}


def test_lines_come_when_asked_for_and_hold_means(tmp_path):
    task = TinyTask()
    seen = []
    train_tiny(
        task, tmp_path, log_every=12, validate_every=15, logger=lambda step, metrics: seen.append((step, metrics))
    )
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [(line.pop("step"), line) for line in lines] == seen
    assert [step for step, _ in seen] == [12, 15, 24, 30, 30]
    assert seen[0][1]["loss"] == pytest.approx(sum(task.losses[:12]) / 12)
    assert seen[3][1]["loss"] == pytest.approx(sum(task.losses[24:]) / 6)
    assert seen[0][1]["twice"] == pytest.approx(2 * seen[0][1]["loss"])
    assert seen[1][1].keys() == {"validation/loss"}
    assert {"gradient_norm", "learning_rate", "steps_per_second", "count"} <= seen[0][1].keys()


def test_a_logger_that_raises_is_dropped_and_the_training_goes_on(tmp_path, capsys):
    calls = []

    def broken_logger(step, metrics):
        calls.append(step)
        raise ConnectionError("no route to host")

    result = train_tiny(TinyTask(), tmp_path, logger=broken_logger)
    assert result.finished
    assert calls == [7]
    said = capsys.readouterr().err
    assert said.count("warning: logging to broken_logger failed and is off from now on") == 1
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 5


def test_a_log_file_that_cannot_be_written_is_dropped_too(tmp_path, capsys, monkeypatch):
    def refuse(self, step, metrics):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(MetricsFile, "__call__", refuse)
    assert train_tiny(TinyTask(), tmp_path).finished
    assert "warning: logging to MetricsFile failed" in capsys.readouterr().err


def test_missing_wandb_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'dfplan\[wandb\]'"):
        wandb_logger(tmp_path)


def test_a_wandb_that_cannot_be_imported_does_not_stop_the_training(tmp_path, monkeypatch, capsys):
    real_import = builtins.__import__

    def broken(name, *arguments, **keywords):
        if name == "wandb":
            raise RuntimeError("protobuf too old")
        return real_import(name, *arguments, **keywords)

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(builtins, "__import__", broken)
    assert train_tiny(TinyTask(), tmp_path, logger=wandb_logger(tmp_path)).finished
    assert "logging to log_to_wandb failed" in capsys.readouterr().err


@pytest.mark.slow
def test_wandb_without_a_key_writes_offline(tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb")
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "NETRC", "WANDB_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    result = train_tiny(TinyTask(), tmp_path / "run", logger=wandb_logger(tmp_path / "run", config={"env": "maze2d"}))
    wandb.teardown()  # ends the run; its service has written everything then
    assert result.finished
    (path,) = (tmp_path / "run").glob("wandb/offline-run-*/run-*.wandb")
    kept = path.read_bytes()
    losses = [json.loads(line)["loss"] for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert losses
    assert [loss for loss in losses if json.dumps(loss).encode() not in kept] == []


def test_a_log_of_somebody_else_is_read_within_bounds(tmp_path):
    path = tmp_path / "metrics.jsonl"
    deep, odd = "[" * 100_000 + "\n", '{"step": "x"}\n{"step": {}}\n\xff\n'
    path.write_text('{"step": 1}\n' + deep + odd + '{"step": 2}\n')
    MetricsFile(path, first_step=2)
    assert path.read_text() == '{"step": 1}\n{"step": 2}\n'
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(UserError, match="larger than"):
        MetricsFile(path, first_step=2)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(UserError, match="a special one"):
        MetricsFile(path, first_step=2)
