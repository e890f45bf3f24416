"""The tasks that train tokenizers of frames: give the frame back, above all what is not background."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from dfplan.models.tokenizers import KeypointTokenizer, save_tokenizer, to_pictures
from dfplan.models.tokenizers.autoencoders import AutoencoderTokenizer
from dfplan.models.tokenizers.readout import foreground_centres
from dfplan.models.tokenizers.tokenizer import CHUNK
from dfplan.training.batch import beside
from dfplan.training.regression import NetworkTask
from dfplan.training.task import Dataset

if TYPE_CHECKING:
    from dfplan.tasks import autoencoder, keypoints

NUM_VALIDATED, NUM_NORMALIZED = 256, 2048
_FOREGROUND = 0.02  # difference from the background, in [0, 1], from which a pixel is foreground


class AutoencoderTask(NetworkTask):
    """Trains on frames alone.

    Args:
        tokenizer: its background set.
        settings: what is not background (the agent is a few pixels of thousands) and divergence count, and how latents
            are normalized.
        frames: batches with ``frames`` as those trained on, to fit the normalizer.
        options: of :class:`~dfplan.training.regression.NetworkTask`.
    """

    betas = (0.9, 0.99)

    def __init__(
        self, tokenizer: AutoencoderTokenizer, settings: "autoencoder.Settings", *, frames: Dataset, **options: Any
    ) -> None:
        super().__init__({"tokenizer": tokenizer}, **options)
        self.tokenizer, self.settings, self.frames = tokenizer, settings, frames

    def training_step(
        self, batch: Mapping[str, Any], *, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float | Tensor]]:
        """Weighted squared error, and the divergence."""
        pictures = to_pictures(torch.as_tensor(batch["frames"]))
        latents, divergence = self.tokenizer.sample(pictures, generator=generator)
        error = (self.tokenizer.decode_raw(latents).float() - pictures).square()
        foreground = (pictures - self.tokenizer.background).abs().amax(dim=1, keepdim=True) > _FOREGROUND
        loss = ((1 + self.settings.foreground_weight * foreground) * error).mean()
        loss = loss + self.settings.kl_weight * divergence.mean()
        return loss, {"pixel_error": error.detach().mean(), "divergence": divergence.detach().mean()}

    def validate(self, modules: Mapping[str, nn.Module], *, seed: int) -> dict[str, float]:
        """How far, in pixels, the agent of a decoded frame is from where it was, on held-out frames."""
        frames = torch.as_tensor(self.held_out.sample(NUM_VALIDATED, np.random.default_rng(seed))["frames"])
        frames = frames.to(self.tokenizer.background.device)
        true = to_pictures(frames)
        with torch.no_grad():  # through raw latents, as the normalizer is fitted at the end alone
            parts = [self.tokenizer.decode_raw(each) for each in self.tokenizer.raw(frames).split(CHUNK)]
        decoded = torch.cat(parts).clamp(0, 1)
        centres = [foreground_centres(each, self.tokenizer.background) for each in (true, decoded)]
        distance = torch.linalg.vector_norm(centres[0] - centres[1], dim=1)
        return {
            "pixel_error": float((decoded - true).square().mean()),
            "place_error_pixels": float(distance.median()),
            "place_error_pixels_p95": float(distance.quantile(0.95)),
        }

    def export(self, folder: Path) -> None:
        """Fit the normalizer and write the bundle that :func:`dfplan.models.tokenizers.load_tokenizer` reads."""
        frames = torch.as_tensor(self.frames.sample(NUM_NORMALIZED, np.random.default_rng(0))["frames"])
        latents = self.tokenizer.raw(frames.to(self.tokenizer.background.device))
        self.tokenizer.normalizer.fit(latents, per_dimension=self.settings.normalize == "per-dimension")
        save_tokenizer(folder, self.tokenizer, self.metadata)


NUM_HELD_OUT = 2048


class KeypointTask(NetworkTask):
    """Trains on frames alone; the places in a batch serve to say in validation how far off the points are.

    Args:
        tokenizer: calibrated.
        settings: how much more a pixel counts that is not background, a few of thousands, and the largest standard
            deviation of the noise on the pixels looked at, in [0, 1]; each frame draws its own.
        options: of :class:`~dfplan.training.regression.NetworkTask`; on what is held out the normalizer is fitted, too.
    """

    def __init__(self, tokenizer: KeypointTokenizer, settings: "keypoints.Settings", **options: Any) -> None:
        super().__init__({"tokenizer": tokenizer}, **options)
        self.tokenizer, self.settings = tokenizer, settings

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """Adam for everything."""
        return [torch.optim.Adam(self.tokenizer.parameters(), lr=self.rates.learning_rate, betas=(0.9, 0.95))]

    def training_step(
        self, batch: Mapping[str, Tensor], *, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float | Tensor]]:
        """Mean squared error of the drawing, the foreground weighted."""
        pictures = to_pictures(torch.as_tensor(batch["frames"]))
        scale = self.settings.noise * torch.rand(len(pictures), 1, 1, 1, generator=generator)
        noise = scale * torch.randn(pictures.shape, generator=generator)
        drawn = self.tokenizer.decode_raw(self.tokenizer.encode_raw(pictures + noise.to(pictures.device)))
        error = (drawn - pictures).square()
        foreground = (pictures - self.tokenizer.background).abs().amax(dim=1, keepdim=True) > 0.02
        loss = ((1 + self.settings.foreground_weight * foreground) * error).mean()
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
