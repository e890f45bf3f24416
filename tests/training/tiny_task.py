"""A task small enough for a test and with everything a real one has: two optimizers, dropout, noise, statistics."""

import json
from pathlib import Path

import numpy as np
import torch
from torch import nn

from dfplan.models.bundle import load_bundle, save_bundle
from dfplan.training import Settings, TrainingResult, train


class TinyTask:
    """Denoises points in the plane."""

    def __init__(self, *, dropout=0.1, noise=0.3, width=16, learning_rate=1e-2, batch_norm=True):
        generator_state = torch.get_rng_state()
        torch.manual_seed(0)
        self.noise, self.learning_rate = noise, learning_rate
        statistics = nn.BatchNorm1d(width) if batch_norm else nn.Identity()
        self.network = nn.Sequential(
            nn.Linear(2, width), statistics, nn.SiLU(), nn.Dropout(dropout), nn.Linear(width, 2)
        )
        torch.set_rng_state(generator_state)
        self.modules = {"network": self.network}
        self.losses: list[float] = []

    def configure_optimizers(self):
        matrices = [each for each in self.network.parameters() if each.ndim == 2]
        others = [each for each in self.network.parameters() if each.ndim != 2]
        return [
            torch.optim.Muon(matrices, lr=self.learning_rate),
            torch.optim.AdamW([{"params": others[:1], "lr": self.learning_rate / 2}, {"params": others[1:]}], lr=1e-3),
        ]

    def training_step(self, batch, *, generator):
        noisy = batch["points"] + self.noise * torch.randn(batch["points"].shape, generator=generator)
        loss = (self.network(noisy).float() - batch["points"]).square().mean()
        self.losses.append(float(loss.detach()))
        return loss, {"twice": 2 * loss.detach(), "count": float(len(noisy))}

    def validate(self, modules, *, seed):
        points = torch.from_numpy(np.random.default_rng(seed).standard_normal((32, 2), dtype=np.float32))
        return {"loss": float((modules["network"](points) - points).square().mean())}

    def export(self, folder: Path) -> None:
        save_bundle(folder, self.network.state_dict(), {"kind": "tiny"})


def plain_task() -> TinyTask:
    """A task whose loss is a mean over the batch and nothing but a function of it."""
    return TinyTask(dropout=0.0, noise=0.0, batch_norm=False)


class Points:
    """Points on a circle."""

    def sample(self, batch_size, generator):
        angle = generator.uniform(0, 2 * np.pi, batch_size)
        return {"points": np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)}


def train_tiny(task: TinyTask, folder: Path, *, dataset: Points | None = None, **changes) -> TrainingResult:
    run = {name: changes.pop(name) for name in ("resume", "config", "logger", "progress") if name in changes}
    values = {"num_steps": 30, "batch_size": 8, "seed": 5, "warmup_steps": 3, "checkpoint_every": 10, "log_every": 7}
    values |= {"decay": "cosine", "decay_start": 0.0, "ema_decay": 0.999, "validate_every": 0}
    settings = Settings(**(values | {"device": "cpu"} | changes))
    return train(task, dataset or Points(), settings, run_folder=folder, **({"progress": False} | run))


def logged(folder: Path) -> list[dict]:
    """The lines of the log without what depends on the clock."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "steps_per_second"} for line in lines]


def assert_same_run(one: Path, other: Path, *, step: int = 30) -> None:
    """Weights, averages, optimizers, exported model and log are equal bit for bit."""
    name = f"checkpoints/step-{step:08d}"
    (tensors, description), (tensors_too, description_too) = load_bundle(one / name), load_bundle(other / name)
    assert description["state"] == description_too["state"]
    assert tensors.keys() == tensors_too.keys()
    assert all(torch.equal(tensors[key], tensors_too[key]) for key in tensors)
    exported, exported_too = load_bundle(one / "model")[0], load_bundle(other / "model")[0]
    assert all(torch.equal(exported[key], exported_too[key]) for key in exported)
    assert logged(one) == logged(other)
