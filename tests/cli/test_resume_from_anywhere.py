"""A training is resumed from any working folder and after its dataset has moved; the checksum of the data decides."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dfplan.cli.main import main
from dfplan.data.d4rl_file import hash_file
from dfplan.training.run_lock import LOCK_FILE

ENV = "env=maze2d-umaze"
TINY = (
    "model.width=16",
    "model.num_layers=1",
    "training.batch_size=4",
    "training.log_every=1",
    "env.window_tokens=3",
    "training.compiled=false",
    "resynthesis.num_steps=2000",
    "threads=1",
)


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A folder with a dataset, another one, and a run of the first that names it by its relative path."""
    folder = tmp_path_factory.mktemp("begun")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for seed, name in enumerate(("maze.hdf5", "other.hdf5")):
            assert main(["generate", ENV, "num_steps=3000", f"seed={seed}", f"output={name}"]) == 0
        assert main(["train", ENV, "data=maze.hdf5", "output=run", "training.num_steps=2", *TINY]) == 0
    return folder


@pytest.fixture
def place(begun, tmp_path, monkeypatch):
    """A copy of it, from where the commands are called."""
    for name in ("maze.hdf5", "maze.hdf5.sha256", "other.hdf5"):
        (begun / name).touch()
    shutil.copytree(begun / "run", tmp_path / "run")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    return elsewhere


def data_of(run):
    return json.loads((run / "config.json").read_text())["config"]["data"]


def test_from_any_working_folder_a_run_goes_on(begun, place, capsys):
    assert data_of(begun / "run") == str(begun / "maze.hdf5")
    assert main(["train", "resume=../run", "training.num_steps=3"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "../run/model"


def test_where_the_data_have_gone_is_asked_and_the_checksum_decides(begun, place, capsys):
    checksum = hash_file(begun / "maze.hdf5")
    config = place.parent / "run" / "config.json"
    config.write_text(config.read_text().replace(str(begun / "maze.hdf5"), str(place / "gone.hdf5")))
    assert main(["train", "resume=../run"]) == 2
    said = capsys.readouterr().err
    assert f"its dataset is not at {place / 'gone.hdf5'}; give data=<where it is now>" in said
    assert checksum in said
    shutil.copy(begun / "other.hdf5", "gone.hdf5")
    for words in ([], ["data=gone.hdf5"]):  # another dataset in its place, or named
        assert main(["train", "resume=../run", *words]) == 2
        assert "is not what the run in ../run was begun with: SHA-256" in capsys.readouterr().err
    shutil.copy(begun / "maze.hdf5", "under another name")
    assert main(["train", "resume=../run", "data=under another name"]) == 0
    assert data_of(place.parent / "run") == str(place / "under another name")
    assert main(["train", "resume=../run"]) == 0


def test_a_run_in_which_another_process_trains_is_refused_before_anything_else(place, capsys):
    hold = (
        "import sys; from pathlib import Path; from dfplan.training.run_lock import alone_in\n"
        "with alone_in(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", hold, place.parent / "run"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout.readline() == "held\n"
        assert main(["train", "resume=../run", "data=nowhere.hdf5"]) == 2
        assert f"process {first.pid} on" in capsys.readouterr().err
        first.communicate("")
    assert (place.parent / "run" / LOCK_FILE).read_text() == ""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGHUP, signal.SIGINT])
def test_a_training_that_a_signal_stopped_has_saved_and_says_so_by_its_exit_status(begun, tmp_path, number):
    run = tmp_path / "run"
    words = ["train", ENV, f"data={begun / 'maze.hdf5'}", f"output={run}", "training.num_steps=100000", *TINY]
    command = [sys.executable, "-m", "dfplan.cli.main", *words]
    handlers = (
        "import signal, os, sys; signal.signal(signal.SIGHUP, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
    )
    with subprocess.Popen([sys.executable, "-c", handlers, *command], stderr=subprocess.PIPE, text=True) as training:
        while not (run / "metrics.jsonl").exists() or "\n" not in (run / "metrics.jsonl").read_text():
            assert training.poll() is None
            time.sleep(0.05)
        training.send_signal(number)
        said = training.communicate(timeout=60)[1]
    assert training.returncode == 128 + number
    assert f"go on with resume={run}" in said.splitlines()[-1]
    assert "Error" not in said
    steps = [json.loads(line)["step"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert sorted(os.listdir(run / "checkpoints"))[-1] == f"step-{max(steps):08d}"
    assert main(["train", f"resume={run}", f"training.num_steps={max(steps)}"]) == 0
    assert Path(run / "model" / "model.json").is_file()
