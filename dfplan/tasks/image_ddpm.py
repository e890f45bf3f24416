"""Denoising diffusion of images, by diffusers' U-Net and schedule, on the handwritten digits of scikit-learn."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dfplan.data.digits import Digits, load_digit_halves
from dfplan.options import option
from dfplan.tasks.inputs import Inputs

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

NUM_PICTURED = 64
NUM_VALIDATED = 512


@dataclass
class Settings:
    """The options of the task."""

    width: int = option(
        "channels of the U-Net at full resolution, a multiple of 8; twice as many at half", low=8, high=256
    )
    dropout: float = option("share of activations dropped in training", low=0, high=0.9)
    num_levels: int = option("noise levels", low=100, high=10_000)


def build(settings: Settings, inputs: Inputs) -> "tuple[ImageDDPMTask, Digits]":
    """The task and the half of the digits that it learns from; the other half validates.

    Raises:
        UserError: diffusers or scikit-learn is not installed, or a width that does not divide into groups.
    """
    import torch

    from dfplan.models.image_ddpm import NAME, build_unet

    train, held_out = load_digit_halves()
    sizes = {"image_size": train.images.shape[-1], "channels": 1, "width": settings.width}
    torch.manual_seed(inputs.seed)  # of the initial weights
    unet = build_unet(**sizes, dropout=settings.dropout)
    task = ImageDDPMTask(
        unet=unet,
        num_levels=settings.num_levels,
        learning_rate=inputs.optimizer.learning_rate,
        weight_decay=inputs.optimizer.weight_decay,
        held_out=held_out,
        metadata={
            "model": {"name": NAME, **sizes, "num_levels": settings.num_levels},
            "provenance": dict(inputs.provenance),
        },
    )
    return task, train


class ImageDDPMTask:
    """Predict the velocity of noisy images; see :class:`~dfplan.training.task.Task` for what the loop expects.

    Args:
        unet: diffusers' ``UNet2DModel``.
        num_levels: noise levels.
        learning_rate: of AdamW.
        weight_decay: of AdamW.
        held_out: images to validate on.
        metadata: what the exported bundle says of its making; plain JSON values.
    """

    def __init__(
        self,
        *,
        unet: "nn.Module",
        num_levels: int,
        learning_rate: float,
        weight_decay: float,
        held_out: Digits,
        metadata: Mapping[str, Any],
    ) -> None:
        from dfplan.models.image_ddpm import build_scheduler

        self.modules: dict[str, nn.Module] = {"unet": unet}
        self.scheduler = build_scheduler(num_levels)
        self.num_levels = num_levels
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.held_out = held_out
        self.metadata = dict(metadata)

    def configure_optimizers(self) -> "list[torch.optim.Optimizer]":
        """AdamW for everything."""
        import torch

        parameters = self.modules["unet"].parameters()
        return [torch.optim.AdamW(parameters, lr=self.learning_rate, weight_decay=self.weight_decay)]

    def training_step(
        self, batch: Mapping[str, "Tensor"], *, generator: "torch.Generator"
    ) -> "tuple[Tensor, dict[str, float | Tensor]]":
        """Mean squared error of the velocity at levels drawn evenly."""
        return self._loss(self.modules["unet"], batch["images"], generator=generator), {}

    def _loss(self, unet: "nn.Module", images: "Tensor", *, generator: "torch.Generator") -> "Tensor":
        import torch

        levels = torch.randint(self.num_levels, (len(images),), generator=generator).to(images.device)
        noise = torch.randn(images.shape, generator=generator).to(images.device)
        noisy = self.scheduler.add_noise(images, noise, levels)
        target = self.scheduler.get_velocity(images, noise, levels)
        return (unet(noisy, levels).sample - target).square().mean()

    def validate(self, modules: "Mapping[str, nn.Module]", *, seed: int) -> dict[str, float]:
        """The loss on held-out images with fixed noise, so that validations compare."""
        import torch

        device = next(modules["unet"].parameters()).device
        images = self.held_out.sample(NUM_VALIDATED, np.random.default_rng(seed))["images"]
        generator = torch.Generator().manual_seed(seed)
        return {"loss": float(self._loss(modules["unet"], torch.as_tensor(images, device=device), generator=generator))}

    def draw(self, modules: "Mapping[str, nn.Module]", path: Path, *, seed: int) -> None:
        """Write a grid of samples, always from the same noise."""
        import torch

        from dfplan.models.image_ddpm import sample_images
        from dfplan.viz.images import draw_image_grid

        shape = (NUM_PICTURED, 1, *self.held_out.images.shape[1:])
        generator = torch.Generator().manual_seed(seed)
        images = sample_images(modules["unet"], shape, num_levels=self.num_levels, generator=generator)
        draw_image_grid((images.cpu().numpy()[:, 0] + 1) / 2, path=path)

    def export(self, folder: Path) -> None:
        """Write the bundle that :func:`~dfplan.models.image_ddpm.load_image_ddpm` reads."""
        from dfplan.models.bundle import save_bundle

        tensors = {f"unet.{name}": value for name, value in self.modules["unet"].state_dict().items()}
        save_bundle(folder, tensors, self.metadata)
