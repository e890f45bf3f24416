"""The task that trains a model of images to predict the velocity of noisy ones."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from digits import Digits
from image_grid import draw_image_grid
from image_network import build_scheduler, sample_images
from torch import Tensor, nn

from dfplan.models.bundle import save_bundle
from dfplan.training.regression import NetworkTask

NUM_PICTURED = 64
NUM_VALIDATED = 512


class ImageDDPMTask(NetworkTask):
    """Predict the velocity of noisy images.

    Args:
        unet: diffusers' ``UNet2DModel``.
        num_levels: noise levels.
        held_out: images to validate on.
        options: of :class:`~dfplan.training.regression.NetworkTask`.
    """

    def __init__(self, unet: nn.Module, *, num_levels: int, held_out: Digits, **options: Any) -> None:
        super().__init__({"unet": unet}, held_out=held_out, **options)
        self.scheduler, self.num_levels = build_scheduler(num_levels), num_levels
        self.shape = held_out.images.shape[1:]

    def training_step(
        self, batch: Mapping[str, Tensor], *, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, float | Tensor]]:
        """Mean squared error of the velocity at levels drawn evenly."""
        return self._loss(self.modules["unet"], batch["images"], generator=generator), {}

    def _loss(self, unet: nn.Module, images: Tensor, *, generator: torch.Generator) -> Tensor:
        levels = torch.randint(self.num_levels, (len(images),), generator=generator).to(images.device)
        noise = torch.randn(images.shape, generator=generator).to(images.device)
        noisy = self.scheduler.add_noise(images, noise, levels)
        target = self.scheduler.get_velocity(images, noise, levels)
        return (unet(noisy, levels).sample - target).square().mean()

    def validate(self, modules: Mapping[str, nn.Module], *, seed: int) -> dict[str, float]:
        """The loss on held-out images with fixed noise, so that validations compare."""
        device = next(modules["unet"].parameters()).device
        images = self.held_out.sample(NUM_VALIDATED, np.random.default_rng(seed))["images"]
        generator = torch.Generator().manual_seed(seed)
        return {"loss": float(self._loss(modules["unet"], torch.as_tensor(images, device=device), generator=generator))}

    def draw(self, modules: Mapping[str, nn.Module], path: Path, *, seed: int) -> None:
        """Write a grid of samples, always from the same noise."""
        shape = (NUM_PICTURED, 1, *self.shape)
        generator = torch.Generator().manual_seed(seed)
        images = sample_images(modules["unet"], shape, num_levels=self.num_levels, generator=generator)
        draw_image_grid((images.cpu().numpy()[:, 0] + 1) / 2, path=path)

    def export(self, folder: Path) -> None:
        """Write the weights, and how to rebuild the network by :func:`image_network.build_unet`."""
        tensors = {f"unet.{name}": value for name, value in self.modules["unet"].state_dict().items()}
        save_bundle(folder, tensors, self.metadata)
