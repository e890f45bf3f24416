"""Denoising diffusion of small images with the parts of diffusers: network, noise schedule, sampler."""

from typing import Any

import torch
from diffusers import DDPMScheduler, DPMSolverMultistepScheduler, UNet2DModel  # type: ignore[attr-defined]
from torch import Tensor, nn

from dfplan.errors import UserError

NAME = "image-ddpm"  # what a bundle calls its model
SCHEDULE, PREDICTION = "squaredcos_cap_v2", "v_prediction"  # as diffusers names them
NUM_STEPS = 50  # of sampling
GROUPS = 8  # of the group normalisation, so widths are multiples of it


def build_unet(*, image_size: int, channels: int, width: int, dropout: float = 0.0) -> nn.Module:
    """The U-Net of diffusers with two resolutions and attention in the middle.

    Raises:
        UserError: a width that it cannot normalise in groups.
    """
    if width % GROUPS:
        raise UserError(f"width must be a multiple of {GROUPS}; got {width}")
    return UNet2DModel(
        sample_size=image_size,
        in_channels=channels,
        out_channels=channels,
        block_out_channels=(width, 2 * width),
        down_block_types=("DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        norm_num_groups=GROUPS,
        dropout=dropout,
    )


def build_scheduler(num_levels: int) -> Any:
    """The DDPM scheduler of diffusers (arXiv 2006.11239) with the cosine schedule; the network predicts velocity."""
    return DDPMScheduler(num_train_timesteps=num_levels, beta_schedule=SCHEDULE, prediction_type=PREDICTION)


def sample_images(
    unet: nn.Module,
    shape: tuple[int, int, int, int],
    *,
    num_levels: int,
    generator: torch.Generator,
    num_steps: int = NUM_STEPS,
) -> Tensor:
    """Sample images of a shape with DPM-Solver++ of second order (arXiv 2211.01095), even in log signal to noise.

    On pixels of a known normal distribution (deviation 0.1) 50 steps keep its width within 1 %, where DDPM's 1,000 lose
    2 % and DDIM's 50 lose 14 %: smoother images than the data, which then lie too close to them.

    Args:
        unet: predicts the velocity.
        shape: ``(count, channels, height, width)``.
        num_levels: that it was trained with.
        generator: of the noise to begin with.
        num_steps: evaluations of the network.
    """
    scheduler = DPMSolverMultistepScheduler(
        num_train_timesteps=num_levels,
        beta_schedule=SCHEDULE,
        prediction_type=PREDICTION,
        timestep_spacing="trailing",
        use_lu_lambdas=True,
    )
    scheduler.set_timesteps(num_steps)
    images = torch.randn(shape, generator=generator).to(next(unet.parameters()).device)
    for level in scheduler.timesteps:
        (images,) = scheduler.step(unet(images, level).sample, level, images, return_dict=False)
    return images.clamp(-1, 1)
