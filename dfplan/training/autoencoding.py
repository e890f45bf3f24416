"""The task that trains an autoencoder tokenizer: give the frame back, above all what is not background."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dfplan.models.tokenizers import save_tokenizer, to_pictures
from dfplan.models.tokenizers.autoencoders import AutoencoderTokenizer
from dfplan.models.tokenizers.readout import foreground_centres
from dfplan.models.tokenizers.tokenizer import CHUNK
from dfplan.training.task import Dataset

NUM_VALIDATED, NUM_NORMALIZED = 256, 2048
_FOREGROUND = 0.02  # difference from the background, in [0, 1], from which a pixel is foreground


class AutoencoderTask:
    """Trains on frames alone; see :class:`~dfplan.training.task.Task` for what the loop expects.

    Args:
        tokenizer: its background set.
        learning_rate: of AdamW.
        weight_decay: of AdamW.
        foreground_weight: how much more a pixel counts that is not background; the agent is a few pixels of thousands.
        kl_weight: of the divergence of latents from a standard Gaussian, where the tokenizer has one.
        per_dimension: whether latents are normalized dimension by dimension, or all by one number.
        frames: batches with ``frames`` as those trained on, to fit the normalizer.
        held_out: others, for validation.
        metadata: what the exported bundle says of its making; plain JSON values.
    """

    def __init__(
        self,
        *,
        tokenizer: AutoencoderTokenizer,
        learning_rate: float,
        weight_decay: float,
        foreground_weight: float,
        kl_weight: float,
        per_dimension: bool,
        frames: Dataset,
        held_out: Dataset,
        metadata: Mapping[str, Any],
    ) -> None:
        self.modules: dict[str, nn.Module] = {"tokenizer": tokenizer}
        self.tokenizer = tokenizer
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.foreground_weight, self.kl_weight = foreground_weight, kl_weight
        self.per_dimension = per_dimension
        self.frames, self.held_out = frames, held_out
        self.metadata = dict(metadata)

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """AdamW for everything."""
        parameters = self.tokenizer.parameters()
        return [torch.optim.AdamW(parameters, lr=self.learning_rate, weight_decay=self.weight_decay, betas=(0.9, 0.99))]

    def training_step(
        self, batch: Mapping[str, Any], *, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float | Tensor]]:
        """Weighted squared error, and the divergence."""
        pictures = to_pictures(torch.as_tensor(batch["frames"]))
        latents, divergence = self.tokenizer.sample(pictures, generator=generator)
        error = (self.tokenizer.decode_raw(latents).float() - pictures).square()
        foreground = (pictures - self.tokenizer.background).abs().amax(dim=1, keepdim=True) > _FOREGROUND
        loss = ((1 + self.foreground_weight * foreground) * error).mean() + self.kl_weight * divergence.mean()
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
        self.tokenizer.normalizer.fit(latents, per_dimension=self.per_dimension)
        save_tokenizer(folder, self.tokenizer, self.metadata)
