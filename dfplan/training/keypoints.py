"""The task that trains a keypoint tokenizer: draw the frame again from the points found in it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dfplan.models.tokenizers import KeypointTokenizer, save_tokenizer, to_pictures
from dfplan.training.batch import beside
from dfplan.training.task import Dataset

NUM_HELD_OUT = 2048


class KeypointTask:
    """Trains on frames alone; the places in a batch serve to say in validation how far off the points are.

    Args:
        tokenizer: calibrated.
        learning_rate: of Adam.
        foreground_weight: how much more a pixel counts that is not background: a few of thousands.
        noise: largest standard deviation of the noise on the pixels looked at, in [0, 1]; each frame draws its own.
        held_out: where the frames come from on which points are measured, for validation and for the normalizer.
        metadata: what the exported bundle says of its making; plain JSON values.
    """

    def __init__(
        self,
        *,
        tokenizer: KeypointTokenizer,
        learning_rate: float,
        foreground_weight: float,
        noise: float,
        held_out: Dataset,
        metadata: Mapping[str, Any],
    ) -> None:
        self.modules: dict[str, nn.Module] = {"tokenizer": tokenizer}
        self.tokenizer = tokenizer
        self.learning_rate = learning_rate
        self.foreground_weight = foreground_weight
        self.noise = noise
        self.held_out = held_out
        self.metadata = dict(metadata)

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Adam for everything."""
        return [torch.optim.Adam(self.tokenizer.parameters(), lr=self.learning_rate, betas=(0.9, 0.95))]

    def training_step(
        self, batch: Mapping[str, Tensor], *, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float | Tensor]]:
        """Mean squared error of the drawing, the foreground weighted."""
        pictures = to_pictures(torch.as_tensor(batch["frames"]))
        scale = self.noise * torch.rand(len(pictures), 1, 1, 1, generator=generator)
        noise = scale * torch.randn(pictures.shape, generator=generator)
        drawn = self.tokenizer.decode_raw(self.tokenizer.encode_raw(pictures + noise.to(pictures.device)))
        error = (drawn - pictures).square()
        foreground = (pictures - self.tokenizer.background).abs().amax(dim=1, keepdim=True) > 0.02
        loss = ((1 + self.foreground_weight * foreground) * error).mean()
        return loss, {"pixel_error": error.detach().mean()}

    def validate(self, modules: Mapping[str, nn.Module], *, seed: int) -> dict[str, float]:
        """Distance from the found to the true place, in the units of the environment, on held-out frames."""
        batch = beside(self.tokenizer, self.held_out.sample(NUM_HELD_OUT, np.random.default_rng(seed)))
        found = self.tokenizer.to_places(self.tokenizer.encode(batch["frames"]))
        error = torch.linalg.vector_norm(found - batch["places"], dim=1)
        return {"place_error": float(error.median()), "place_error_p95": float(error.quantile(0.95))}

    def export(self, folder: Path) -> None:
        """Fit the normalizer and write the bundle that :func:`dfplan.models.tokenizers.load_tokenizer` reads."""
        batch = beside(self.tokenizer, self.held_out.sample(NUM_HELD_OUT, np.random.default_rng(0)))
        self.tokenizer.normalizer.fit(self.tokenizer.raw(batch["frames"]))
        save_tokenizer(folder, self.tokenizer, self.metadata)
