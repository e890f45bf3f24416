"""Denoising diffusion of images, by diffusers' U-Net and schedule, on the handwritten digits of scikit-learn."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dfplan.options import option
from dfplan.tasks.inputs import Inputs

if TYPE_CHECKING:
    from dfplan.data.digits import Digits
    from dfplan.tasks.image_denoising import ImageDDPMTask


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

    from dfplan.data.digits import load_digit_halves
    from dfplan.models.image_ddpm import NAME, build_unet
    from dfplan.tasks.image_denoising import ImageDDPMTask

    train, held_out = load_digit_halves()
    sizes = {"image_size": train.images.shape[-1], "channels": 1, "width": settings.width}
    torch.manual_seed(inputs.seed)  # of the initial weights
    unet = build_unet(**sizes, dropout=settings.dropout)
    task = ImageDDPMTask(
        unet,
        num_levels=settings.num_levels,
        rates=inputs.optimizer,
        held_out=held_out,
        metadata={
            "model": {"name": NAME, **sizes, "num_levels": settings.num_levels},
            "provenance": dict(inputs.provenance),
        },
    )
    return task, train
