"""A resumed training is the uninterrupted one bit for bit, whatever stopped it; anything else is refused."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tiny_task import Points, TinyTask, assert_same_run, logged, train_tiny

from dfplan.errors import UserError
from dfplan.models.bundle import load_bundle


class StopAfter(Points):
    """Data that send a signal to this very process while a given step is being worked on."""

    def __init__(self, step: int, *, number: signal.Signals = signal.SIGTERM) -> None:
        self.countdown, self.number = step, number

    def sample(self, batch_size, generator):
        self.countdown -= 1
        if self.countdown == 0:
            os.kill(os.getpid(), self.number)
        return super().sample(batch_size, generator)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An uninterrupted run; tests that change it work on a copy."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    train_tiny(TinyTask(), folder)
    return folder


@pytest.fixture(autouse=True)
def not_under_nohup():
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def checkpoint_names(folder: Path) -> list[str]:
    return sorted(each.name for each in (folder / "checkpoints").iterdir())


@pytest.mark.parametrize(
    ("number", "precision"),
    [(each, "no") for each in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)]
    + [(signal.SIGTERM, "bf16"), (signal.SIGINT, "bf16"), (signal.SIGINT, "no")],
)
def test_stopped_by_a_signal_and_resumed_equals_uninterrupted(tmp_path, precision, number, capsys):
    uninterrupted, first, second = TinyTask(), TinyTask(), TinyTask()
    options = {"precision": precision, "validate_every": 5, "accumulation": 2}
    train_tiny(uninterrupted, tmp_path / "whole", **options)
    stopped = train_tiny(first, tmp_path / "parts", dataset=StopAfter(13, number=number), **options)
    assert (stopped.finished, stopped.step, stopped.exit_status) == (False, 13, 128 + number)
    said = capsys.readouterr().err
    assert f"stopped by {number.name} after step 13 of 30, all saved; go on with resume={tmp_path / 'parts'}" in said
    result = train_tiny(second, tmp_path / "parts", resume=True, **options)
    assert (result.finished, result.step, result.exit_status) == (True, 30, 0)
    assert first.losses + second.losses == uninterrupted.losses
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


@pytest.mark.parametrize("stop", [1, 9, 10, 14, 29])
def test_any_step_is_a_good_one_to_stop_at(tmp_path, whole, stop):
    train_tiny(TinyTask(), tmp_path, dataset=StopAfter(stop))
    train_tiny(TinyTask(), tmp_path, resume=True)
    assert_same_run(whole, tmp_path)


def test_a_signal_in_the_last_step_finishes_the_run(tmp_path):
    assert train_tiny(TinyTask(), tmp_path, dataset=StopAfter(30)).finished


def test_signal_handlers_are_put_back(tmp_path):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    train_tiny(TinyTask(), tmp_path, dataset=StopAfter(3, number=signal.SIGINT))
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_only_the_newest_are_kept_also_after_resume(tmp_path):
    train_tiny(TinyTask(), tmp_path, dataset=StopAfter(25), checkpoint_every=4, keep_checkpoints=3)
    assert checkpoint_names(tmp_path) == ["step-00000020", "step-00000024", "step-00000025"]
    train_tiny(TinyTask(), tmp_path, resume=True, checkpoint_every=2, keep_checkpoints=2)
    assert checkpoint_names(tmp_path) == ["step-00000028", "step-00000030"]


@pytest.mark.parametrize("name", ["model.safetensors", "model.json"])
def test_a_damaged_newest_checkpoint_falls_back_to_the_one_before(tmp_path, whole, name, capsys):
    shutil.copytree(whole, tmp_path / "run")
    path = tmp_path / "run" / "checkpoints" / "step-00000030" / name
    path.write_bytes(path.read_bytes()[:-7] + b"garbage")
    train_tiny(TinyTask(), tmp_path / "run", resume=True, keep_checkpoints=1)
    said = capsys.readouterr().err
    assert "going back to step 20, the newer step-00000030 is set aside as damaged" in said
    assert str(path) in said
    assert checkpoint_names(tmp_path / "run") == ["damaged-step-00000030", "step-00000030"]
    assert_same_run(whole, tmp_path / "run")


def test_all_damaged_is_an_error_and_nothing_is_touched(tmp_path, whole):
    shutil.copytree(whole, tmp_path / "run")
    for each in (tmp_path / "run" / "checkpoints").iterdir():
        (each / "model.safetensors").write_bytes(b"")
    names = checkpoint_names(tmp_path / "run")
    with pytest.raises(UserError, match="none of 2 checkpoints can be read; of the newest, step-00000030"):
        train_tiny(TinyTask(), tmp_path / "run", resume=True)
    with pytest.raises(UserError, match="holds a run"):
        train_tiny(TinyTask(), tmp_path / "run")
    assert checkpoint_names(tmp_path / "run") == names


def test_what_a_killed_process_left_behind_is_cleaned_up(tmp_path, whole):
    shutil.copytree(whole, tmp_path / "run")
    for name in (".writing-step-00000040", ".removing-step-00000010"):
        (tmp_path / "run" / "checkpoints" / name).mkdir()
    with (tmp_path / "run" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 30, "loss"')
    train_tiny(TinyTask(), tmp_path / "run", resume=True)
    assert checkpoint_names(tmp_path / "run") == ["step-00000020", "step-00000030"]
    assert logged(tmp_path / "run") == logged(whole)


def test_a_finished_run_says_so_and_writes_its_model_again(tmp_path, whole, capsys):
    shutil.copytree(whole, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "model")
    task = TinyTask()
    result = train_tiny(task, tmp_path / "run", resume=True)
    assert (result.finished, result.step, task.losses) == (True, 30, [])
    assert "is finished: all 30 steps are done; the model is written again" in capsys.readouterr().err
    assert_same_run(whole, tmp_path / "run")
    assert result.metrics["loss"] == pytest.approx(logged(whole)[-1]["loss"])


def test_a_run_folder_in_use_is_not_started_over(whole):
    before = {each: each.stat().st_mtime_ns for each in whole.rglob("*")}
    with pytest.raises(UserError, match=r"holds a run with checkpoints already; resume it, or choose another"):
        train_tiny(TinyTask(), whole)
    assert {each: each.stat().st_mtime_ns for each in whole.rglob("*")} == before


def test_nothing_to_resume_is_an_error(tmp_path):
    with pytest.raises(UserError, match="no checkpoint to resume from"):
        train_tiny(TinyTask(), tmp_path / "never", resume=True)
    assert not (tmp_path / "never").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": 6}, "training.seed was 5 and is now 6"),
        ({"batch_size": 16}, "training.batch_size was 8 and is now 16"),
        (
            {"ema_decay": 0.9, "warmup_steps": 0},
            "training.ema_decay was 0.999 and is now 0.9; training.warmup_steps was",
        ),
        ({"config": {"env": {"id": "maze2d-large"}}}, r"config.env.id was '\(absent\)' and is now 'maze2d-large'"),
    ],
)
def test_another_configuration_is_refused_by_name(whole, change, said):
    with pytest.raises(UserError, match=said):
        train_tiny(TinyTask(), whole, resume=True, **change)


def test_other_optimizers_or_modules_are_refused_by_name(whole):
    with pytest.raises(UserError, match=r"optimizers\.0\.0\.peak_learning_rate was 0.01 and is now 0.02"):
        train_tiny(TinyTask(learning_rate=0.02), whole, resume=True)
    with pytest.raises(UserError, match=r"of another model than this one: .*size mismatch"):
        train_tiny(TinyTask(width=8), whole, resume=True)


def test_a_longer_run_says_what_becomes_of_the_learning_rate(tmp_path, whole, capsys):
    shutil.copytree(whole, tmp_path / "run")
    result = train_tiny(TinyTask(), tmp_path / "run", resume=True, num_steps=40, checkpoint_every=5)
    assert result.step == 40
    said = capsys.readouterr().err
    assert "num_steps was 30 and is now 40" in said
    assert "their factor goes from 0 to 0.146" in said
    assert json.loads((tmp_path / "run" / "config.json").read_text())["training"]["num_steps"] == 40
    with pytest.raises(UserError, match=r"num_steps=35, but .* is at step 40 already; give 40 or more"):
        train_tiny(TinyTask(), tmp_path / "run", resume=True, num_steps=35)


KILL_AND_RESUME = """
import os, random, signal, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tiny_task import TinyTask, train_tiny
from dfplan.models.bundle import load_bundle
import torch
import torch._dynamo  # so that the children need not import it, each again
torch.set_num_threads(int(sys.argv[3]))  # sums are the same bit for bit only with as many threads
folder, kills = Path(sys.argv[2]), 0
random.seed(0)
for attempt in range(200):
    began = any(folder.glob("checkpoints/step-*"))
    child = os.fork()
    if child == 0:
        result = train_tiny(TinyTask(), folder, resume=began, num_steps=400, checkpoint_every=1, log_every=7)
        os._exit(0 if result.finished else 1)
    time.sleep(random.uniform(0.05, 0.6))
    os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    if os.WIFEXITED(status):
        assert os.WEXITSTATUS(status) == 0
        break
    kills += 1
    newest = max(folder.glob("checkpoints/step-*"), default=None)
    if newest is not None:
        load_bundle(newest)
    if (folder / "model").exists() and any((folder / "model").glob("model.json")):
        load_bundle(folder / "model")
print("kills", kills)
"""


@pytest.mark.slow
def test_killed_again_and_again_equals_uninterrupted(tmp_path):
    train_tiny(TinyTask(), tmp_path / "whole", num_steps=400, checkpoint_every=1)
    command = [sys.executable, "-c", KILL_AND_RESUME, Path(__file__).parent, tmp_path / "parts"]
    result = subprocess.run([*command, str(torch.get_num_threads())], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert int(result.stdout.split()[-1]) >= 3
    assert "damaged" not in result.stderr
    assert_same_run(tmp_path / "whole", tmp_path / "parts", step=400)
    assert load_bundle(tmp_path / "parts" / "model")[1] == {"kind": "tiny"}
