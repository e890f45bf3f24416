"""Task aligned-forcing: without weight it is the plain task, bit for bit; it aligns planners that see as well."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from dfplan.cli.main import main
from dfplan.models.bundle import load_bundle
from dfplan.tasks.aligned_forcing import build_target

SMALL = [
    "data=umaze.hdf5", "resynthesis=none", "windows.held_steps=0", "env.window_tokens=3", "model.width=16",
    "model.num_layers=2", "training.num_steps=3", "training.batch_size=4",
    "training.compiled=false", "training.warmup_steps=0",
    "threads=1", "device=cpu",
]  # fmt: skip
STATES, FRAMES = "env=maze2d-umaze", "env=pixelmaze-umaze"
ALIGNED = ["task=aligned-forcing", "task.depth=1", "task.aligned_tokens=4"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("aligned")
    assert main(["generate", STATES, "num_steps=6000", f"output={folder / 'umaze.hdf5'}"]) == 0
    return folder


@pytest.fixture(autouse=True)
def in_the_folder(folder, monkeypatch):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DFPLAN_CACHE", str(folder / "cache"))


def trained(name: str, *words: str) -> dict[str, torch.Tensor]:
    """Weights, averages and optimizers after three steps."""
    assert main(["train", *SMALL, *words, f"output={name}"]) == 0
    return load_bundle(f"{name}/checkpoints/step-00000003")[0]


@pytest.mark.slow
def test_without_weight_training_is_that_of_the_plain_task_bit_for_bit():
    plain = trained("plain", STATES)
    without = trained("without", STATES, *ALIGNED, "task.weight=0")
    assert plain.keys() == without.keys()
    assert all(torch.equal(plain[name], without[name]) for name in plain)
    aligned = trained("aligned", STATES, *ALIGNED, "task.encoder=state")
    assert any("alignment_head" in name for name in aligned)
    assert not all(torch.equal(plain[name], aligned[name]) for name in plain if name in aligned)


@pytest.mark.slow
def test_a_planner_that_sees_is_aligned_as_well(folder):
    assert main(["train", "data=umaze.hdf5", "task=keypoints", FRAMES, "task.width=2", "training.num_steps=2",
                 "training.batch_size=4", "threads=1", "device=cpu", "output=keypoints"]) == 0  # fmt: skip
    trained("seeing", FRAMES, *ALIGNED, "frames.tokenizer=keypoints", "task.encoder=random", "task.loss=nt-xent")
    tensors, metadata = load_bundle(folder / "seeing" / "model")
    assert "frames" in metadata
    assert not any("alignment" in name for name in tensors)
    assert (folder / "seeing" / "model" / "tokenizer" / "model.json").is_file()


def test_states_have_no_camera_of_their_own(capsys):
    assert main(["train", *SMALL, STATES, *ALIGNED, "task.encoder=random", "output=none"]) == 2
    assert "has no camera" in capsys.readouterr().err


@pytest.mark.slow
def test_a_network_that_is_handed_over_is_what_hidden_states_are_aligned_with():
    """Only what is read of settings and inputs: a network cannot come from the command line."""

    class Brightness(torch.nn.Module):
        def forward(self, pictures):
            return pictures.mean(dim=(2, 3))

    settings = SimpleNamespace(
        encoder="dinov2", camera=None, depth=1, weight=0.5, loss="cosine", temperature=0.1, aligned_tokens=4
    )
    observations = np.random.default_rng(0).uniform(1, 3, (50, 4)).astype(np.float32)
    inputs = SimpleNamespace(
        env_id="pixelmaze-umaze-v1", seed=0, goal_dim=2, trajectories=SimpleNamespace(observations=observations)
    )
    network = Brightness()
    found = build_target(settings, inputs, task=None, given={"dinov2": network})  # type: ignore[arg-type]
    assert found.encoder.network is network  # type: ignore[attr-defined]
    assert found.feature_dim == 3
    assert found(torch.from_numpy(observations[:5])).shape == (5, 3)
