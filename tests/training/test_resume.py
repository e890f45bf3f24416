"""A resumed training is the uninterrupted one, bit for bit."""

import json
import os
import signal
from pathlib import Path

import pytest
import torch
from tiny_task import Points, TinyTask

from dfplan.models.bundle import load_bundle
from dfplan.training import TrainingResult, train


class StopAfter(Points):
    """Data that send a signal to this very process while a given step is being worked on."""

    def __init__(self, step: int, *, number: signal.Signals = signal.SIGTERM) -> None:
        self.countdown, self.number = step, number

    def sample(self, batch_size, generator):
        self.countdown -= 1
        if self.countdown == 0:
            os.kill(os.getpid(), self.number)
        return super().sample(batch_size, generator)


def run(task: TinyTask, folder: Path, *, dataset: Points | None = None, **changes) -> TrainingResult:
    values = {"num_steps": 30, "batch_size": 8, "seed": 5, "warmup_steps": 3, "checkpoint_every": 10, "log_every": 7}
    values |= {"device": "cpu", "progress": False}
    return train(task, dataset or Points(), run_folder=folder, **(values | changes))


def metrics_without_times(folder: Path) -> list[dict]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "steps_per_second"} for line in lines]


def assert_same_run(one: Path, other: Path, *, step: int = 30) -> None:
    name = f"checkpoints/step-{step:08d}"
    (tensors, description), (tensors_too, description_too) = load_bundle(one / name), load_bundle(other / name)
    assert description["state"] == description_too["state"]
    assert tensors.keys() == tensors_too.keys()
    assert all(torch.equal(tensors[key], tensors_too[key]) for key in tensors)
    assert metrics_without_times(one) == metrics_without_times(other)
    exported, exported_too = load_bundle(one / "model")[0], load_bundle(other / "model")[0]
    assert all(torch.equal(exported[key], exported_too[key]) for key in exported)


@pytest.mark.parametrize("precision", ["no", "bf16"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopped_by_a_signal_and_resumed_equals_uninterrupted(tmp_path, precision, number, capsys):
    whole, task = TinyTask(), TinyTask()
    run(whole, tmp_path / "whole", precision=precision, validate_every=5)
    dataset = StopAfter(13, number=number)
    stopped = run(task, tmp_path / "parts", dataset=dataset, precision=precision, validate_every=5)
    assert (stopped.finished, stopped.step) == (False, 13)
    assert f"stopped by {number.name} after step 13 of 30" in capsys.readouterr().err
    again = TinyTask()
    result = run(again, tmp_path / "parts", resume=True, precision=precision, validate_every=5)
    assert (result.finished, result.step) == (True, 30)
    assert task.losses + again.losses == whole.losses
    assert_same_run(tmp_path / "whole", tmp_path / "parts")
