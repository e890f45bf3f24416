"""A task small enough for a test and with everything a real one has: two optimizers, dropout, noise, buffers."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from dfplan.models.bundle import save_bundle


class TinyTask:
    """Denoises points in the plane."""

    def __init__(self, *, dropout=0.1, noise=0.3, width=16, learning_rate=1e-2):
        torch.manual_seed(0)
        self.noise, self.learning_rate = noise, learning_rate
        self.network = nn.Sequential(
            nn.Linear(2, width), nn.BatchNorm1d(width), nn.SiLU(), nn.Dropout(dropout), nn.Linear(width, 2)
        )
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


class Points:
    """Points on a circle."""

    def sample(self, batch_size, generator):
        angle = generator.uniform(0, 2 * np.pi, batch_size)
        return {"points": np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)}
