"""One, two and four processes train the same: whether each holds all weights (DDP) or a share of them (FSDP)."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from dfplan.cli.main import main
from dfplan.errors import UserError
from dfplan.models.bundle import load_bundle
from dfplan.models.forcing_model import load_forcing_model
from dfplan.training.sharding import explained

STEPS = ["training.num_steps=6", "training.log_every=1", "training.validate_every=3", "training.warmup_steps=2"]
STEPS += ["training.checkpoint_every=3"]
SIZE = [
    "model.width=16",
    "model.num_layers=2",
    "env.window_tokens=3",
    "resynthesis.num_steps=2000",
    "training.batch_size=8",
]
WORDS = ["train", "env=maze2d-umaze", "data=umaze.hdf5", *SIZE, *STEPS, "threads=1", "device=cpu"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    words = [*WORDS, "training.accumulation=4", "training.compiled=false", f"output={folder / 'one'}"]
    before = Path.cwd()
    os.chdir(folder)
    try:
        assert main(["generate", "env=maze2d-umaze", "num_steps=6000", "output=umaze.hdf5"]) == 0
        assert main(words) == 0
    finally:
        os.chdir(before)
    return folder


def launched(folder: Path, processes: int, *words: str) -> subprocess.CompletedProcess:
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    return subprocess.run(
        [*launch, "-m", "dfplan.cli.main", *words],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def losses(run: Path, name: str = "loss") -> list[float]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [line[name] for line in lines if name in line]


@pytest.mark.slow
@pytest.mark.parametrize(("parallel", "processes"), [("ddp", 2), ("ddp", 4), ("fsdp", 2), ("fsdp", 4)])
def test_several_processes_have_the_loss_curve_of_one(parallel, processes, folder):
    run = folder / f"{parallel}-{processes}"
    how = [f"training.parallel={parallel}", f"training.accumulation={4 // processes}"]
    how += ["training.compiled=false"] if parallel == "ddp" else []
    answer = launched(folder, processes, *WORDS, *how, f"output={run}")
    assert answer.returncode == 0, answer.stderr
    one = folder / "one"
    assert len(losses(one)) == 6
    assert losses(run)[0] == pytest.approx(losses(one)[0], rel=1e-6)  # the same windows, noise and levels
    assert losses(run) == pytest.approx(losses(one), rel=1e-3)  # and steps, but for the order of additions
    assert losses(run, "gradient_norm")[0] == pytest.approx(losses(one, "gradient_norm")[0], rel=1e-5)
    assert losses(run, "validation/loss") == pytest.approx(losses(one, "validation/loss"), rel=1e-3)
    for name in ("model", "checkpoints/step-00000006"):
        (tensors, _), (tensors_too, _) = load_bundle(one / name), load_bundle(run / name)
        assert {key: each.shape for key, each in tensors.items()} == {key: e.shape for key, e in tensors_too.items()}
        for key, tensor in tensors.items():
            torch.testing.assert_close(tensors_too[key], tensor, rtol=0, atol=1e-3)
    assert load_forcing_model(run / "model").metadata["env"] == "maze2d-umaze"


@pytest.mark.slow
def test_a_sharded_run_goes_on_where_it_was_and_alone_as_well(folder, monkeypatch):
    """After the runs above: from the checkpoint in their middle."""
    monkeypatch.chdir(folder)
    for name in ("sharded", "alone"):
        shutil.copytree("fsdp-2/checkpoints/step-00000003", f"{name}/checkpoints/step-00000003")
        shutil.copy("fsdp-2/config.json", name)
    answer = launched(folder, 2, "train", "resume=sharded", "training.parallel=fsdp", "training.log_every=1")
    assert answer.returncode == 0, answer.stderr
    assert losses(folder / "sharded") == losses(folder / "fsdp-2")[3:]
    assert main(["train", "resume=alone", "training.log_every=1", "threads=1", "device=cpu"]) == 0
    assert len(losses(folder / "alone")) == 3  # by one process and in larger parts, whose noise is another


def test_what_cannot_be_sharded_says_so_in_one_line(monkeypatch, capsys):
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert main([*WORDS, "training.parallel=fsdp", "training.compiled=true", "output=compiled"]) == 2
    assert "training.parallel=fsdp trains uncompiled" in capsys.readouterr().err
    error = explained(RuntimeError("aten.add.Tensor: got mixed torch.Tensor and DTensor"))
    assert isinstance(error, UserError)
    assert "use training.parallel=ddp" in str(error)
    other = RuntimeError("something else")
    assert explained(other) is other
