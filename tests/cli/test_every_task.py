"""Every task that comes with dfplan: two steps on tiny data, resumed bit for bit, its model written and read again."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from dfplan.cli.folders import group_choices
from dfplan.cli.main import main
from dfplan.models.bundle import load_bundle

TASKS = group_choices("task")
STATES, FRAMES = "env=maze2d-umaze", "env=pixelmaze-umaze"
EVERYWHERE = (
    "training.batch_size=4",
    "training.checkpoint_every=1",
    "training.keep_checkpoints=2",
    "training.compiled=false",
    "threads=1",
    "device=cpu",
)
NETWORK = ["model.width=16", "model.num_layers=1"]
WINDOWS = [*NETWORK, "env.window_tokens=3", "resynthesis.num_steps=2000"]
SMALL = {
    "aligned-forcing": [STATES, *WINDOWS, "task.depth=1", "task.encoder=state", "task.aligned_tokens=4"],
    "behaviour-cloning": [STATES, "task.width=8"],
    "autoencoder": [FRAMES, "task.width=8", "task.latent_channels=1"],
    "diffuser": [STATES, "model.width=8", "model.num_layers=2", "model.horizon=16", "model.num_levels=4"],
    "forcing": [STATES, *WINDOWS],
    "forecast": ["env=none", *NETWORK, "env.window_tokens=3", "data=walk.csv"],
    "inverse-dynamics": [STATES, "task.width=8", "resynthesis.num_steps=2000"],
    "keypoints": [FRAMES, "task.width=4"],
    "lora": [STATES, "task.base=maze2d-umaze", "task.rank=1", "resynthesis.num_steps=2000"],
    "memory": [*NETWORK, "task.num_episodes=4", "task.held_out_episodes=2"],
    "pixel-forcing": [FRAMES, *WINDOWS, "frames.tokenizer=keypoints-whole"],
    "self-supervised": [FRAMES, "task.width=2", "task.feature_dim=4", "task.expander_dim=8"],
}
NEEDS = {"pixel-forcing": "keypoints"}  # whose model it reads


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tasks")
    assert main(["generate", STATES, "num_steps=6000", f"output={folder / 'umaze.hdf5'}"]) == 0
    walk = np.cumsum(np.random.default_rng(0).normal(size=(300, 2)), axis=0)
    np.savetxt(folder / "walk.csv", walk, delimiter=",")
    return folder


@pytest.fixture(autouse=True)
def in_the_folder(folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DFPLAN_CACHE", str(folder / "cache"))


def needs_data(task: str) -> bool:
    """Whether the task's config leaves the data to those of a maze."""
    config = Path(__file__).parents[2] / "configs" / "task" / f"{task}.yaml"
    return "\ndata: none" not in config.read_text() and task != "forecast"  # which has no maze


def words(task: str) -> list[str]:
    """The command that trains a small version of a task."""
    data = ["data=umaze.hdf5"] if needs_data(task) else []
    return ["train", f"task={task}", *data, *EVERYWHERE, *SMALL[task]]


def losses(run: Path) -> list[float]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line]


def assert_equal_bundles(one: Path, other: Path) -> None:
    (tensors, _), (tensors_too, _) = load_bundle(one), load_bundle(other)
    assert tensors.keys() == tensors_too.keys()
    # A checkpoint of a tokenizer holds the normalizer of the export before it; the next export measures it anew.
    last_export = "modules.tokenizer.normalizer."
    different = [name for name in tensors if not torch.equal(tensors[name], tensors_too[name])]
    assert [name for name in different if not name.startswith(last_export)] == []


def train_whole(task: str, folder: Path) -> Path:
    """A run of two steps, made once."""
    run = folder / f"{task}-whole"
    if not run.exists():
        if task in NEEDS:
            train_whole(NEEDS[task], folder)
        steps = ["training.num_steps=2", "training.log_every=1", "training.validate_every=2"]
        assert main([*words(task), *steps, f"output={run}"]) == 0
    return run


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_a_task_trains_validates_resumes_bit_for_bit_exports_and_loads(task, folder, capsys):
    whole, parts = train_whole(task, folder), folder / f"{task}-parts"
    first = "checkpoints/step-00000001"
    assert sorted(each.name for each in (whole / "checkpoints").iterdir())[-2:] == ["step-00000001", "step-00000002"]
    shutil.copytree(whole / first, parts / first)
    shutil.copy(whole / "config.json", parts)
    assert main(["train", f"resume={parts}", "threads=1", "device=cpu"]) == 0
    assert_equal_bundles(whole / "checkpoints" / "step-00000002", parts / "checkpoints" / "step-00000002")
    assert_equal_bundles(whole / "model", parts / "model")
    assert losses(parts) == losses(whole)[1:]
    capsys.readouterr()
    assert main(["verify", str(whole)]) == 0
    assert "all whole; model: " in capsys.readouterr().out
    provenance = load_bundle(whole / "model")[1]["provenance"]
    assert provenance["config"].get("task", {"name": "forcing"})["name"] == task
    assert main(["train", f"resume={whole}", "task=forcing"]) == 2
    assert "leave out task" in capsys.readouterr().err


def two_processes(launcher: list[str], command: list[str]) -> None:
    """Run ``dfplan`` in two processes."""
    answer = subprocess.run(
        [sys.executable, "-m", *launcher, "-m", "dfplan.cli.main", *command],
        env=os.environ | {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert answer.returncode == 0, answer.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "launcher"),
    [
        # Of forcing, launched by torchrun, see tests/scale/test_one_loss_curve.py.
        ("behaviour-cloning", ["accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]),
    ],
)
def test_two_processes_have_the_loss_curve_of_one(task, launcher, folder):
    steps = ["training.num_steps=6", "training.log_every=1", "training.validate_every=3", "training.warmup_steps=2"]
    one, two = folder / f"{task}-one", folder / f"{task}-two"
    assert main([*words(task), *steps, "training.accumulation=2", f"output={one}"]) == 0
    two_processes(launcher, [*words(task), *steps, f"output={two}"])
    assert load_bundle(two / "checkpoints" / "step-00000006")[1]["state"]["num_processes"] == 2
    assert losses(two) == pytest.approx(losses(one), rel=1e-3)
    assert losses(two)[0] == pytest.approx(losses(one)[0], rel=1e-6)
    (tensors, _), (tensors_too, _) = load_bundle(one / "model"), load_bundle(two / "model")
    for name, tensor in tensors.items():
        torch.testing.assert_close(tensors_too[name], tensor, rtol=0, atol=1e-3)


def test_several_processes_need_a_folder_to_agree_on(monkeypatch, capsys):
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert main(["train", "task=memory", "env=tmaze"]) == 2
    assert "give output=<folder>" in capsys.readouterr().err
