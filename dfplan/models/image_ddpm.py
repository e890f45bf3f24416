"""Denoising diffusion of small images with the parts of diffusers: network, noise schedule, sampler, bundle."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dfplan.errors import UserError
from dfplan.models.bundle import load_bundle
from dfplan.models.forcing_model import SENSELESS, load_weights

NAME = "image-ddpm"  # what a bundle calls its model
LIMITS = {"image_size": 64, "channels": 4, "width": 256, "num_levels": 10_000}
GROUPS = 8  # of the group normalisation, so widths are multiples of it


@dataclass(frozen=True)
class ImageDDPM:
    """A trained model of images.

    Attributes:
        unet: diffusers' ``UNet2DModel``, in evaluation mode, without gradients to its weights.
        image_size: height and width of an image.
        channels: colours of an image.
        num_levels: noise levels.
        metadata: the whole description of the bundle.
    """

    unet: nn.Module
    image_size: int
    channels: int
    num_levels: int
    metadata: Mapping[str, Any]

    @torch.no_grad()
    def sample(self, count: int, *, generator: torch.Generator, num_steps: int | None = None) -> Tensor:
        """Sample images ``[count, channels, image_size, image_size]`` in [-1, 1].

        Args:
            count: how many.
            generator: of all noise.
            num_steps: None = ancestral sampling through all levels (DDPM, arXiv 2006.11239); a number = so many
                deterministic steps (DDIM, arXiv 2010.02502).
        """
        shape = (count, self.channels, self.image_size, self.image_size)
        return sample_images(self.unet, shape, num_levels=self.num_levels, generator=generator, num_steps=num_steps)


def build_unet(*, image_size: int, channels: int, width: int, dropout: float = 0.0) -> nn.Module:
    """The U-Net of diffusers with two resolutions and attention in the middle.

    Raises:
        UserError: diffusers is not installed, or a width that it cannot normalise in groups.
    """
    _require_diffusers()
    from diffusers import UNet2DModel  # type: ignore[attr-defined]

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


def build_scheduler(num_levels: int, *, deterministic: bool = False) -> Any:
    """The DDPM scheduler of diffusers (or its DDIM) with the cosine schedule; the network predicts velocity.

    Raises:
        UserError: diffusers is not installed.
    """
    _require_diffusers()
    from diffusers import DDIMScheduler, DDPMScheduler  # type: ignore[attr-defined]

    return (DDIMScheduler if deterministic else DDPMScheduler)(
        num_train_timesteps=num_levels,
        beta_schedule="squaredcos_cap_v2",
        prediction_type="v_prediction",
        timestep_spacing="trailing",
        clip_sample=True,
    )


def sample_images(
    unet: nn.Module,
    shape: tuple[int, int, int, int],
    *,
    num_levels: int,
    generator: torch.Generator,
    num_steps: int | None = None,
) -> Tensor:
    """Sample images of a shape; see :meth:`ImageDDPM.sample`."""
    scheduler = build_scheduler(num_levels, deterministic=num_steps is not None)
    scheduler.set_timesteps(num_steps or num_levels)
    images = torch.randn(shape, generator=generator)
    for level in scheduler.timesteps:
        prediction = unet(images, level).sample
        images = scheduler.step(prediction, level, images, generator=generator).prev_sample
    return images.clamp(-1, 1)


def load_image_ddpm(folder: Path) -> ImageDDPM:
    """Rebuild a model from the bundle that the task ``image-ddpm`` exported.

    Raises:
        UserError: the bundle is missing or damaged, or of another model, or diffusers is not installed.
    """
    _require_diffusers()

    def check(shapes: Mapping[str, tuple[int, ...]], metadata: Mapping[str, Any]) -> None:
        _check_claims(shapes, metadata, folder=folder)

    tensors, metadata = load_bundle(folder, check=check)
    model = metadata["model"]
    unet = build_unet(**{name: model[name] for name in ("image_size", "channels", "width")})
    load_weights(unet, tensors, prefix="unet.", folder=folder)
    return ImageDDPM(
        unet=unet.eval().requires_grad_(False),
        **{name: model[name] for name in ("image_size", "channels", "num_levels")},
        metadata=metadata,
    )


def _check_claims(shapes: Mapping[str, tuple[int, ...]], metadata: Mapping[str, Any], *, folder: Path) -> None:
    """Refuse a description that is not of exactly these tensors, before they take any memory."""
    try:
        model = metadata["model"]
        if model["name"] != NAME:
            raise ValueError(f"it says {model['name']!r:.40}")
        for name, limit in LIMITS.items():
            if type(model[name]) is not int or not 1 <= model[name] <= limit:
                raise ValueError(f"{name} must be a whole number from 1 to {limit}; got {model[name]!r:.40}")
        with torch.device("meta"):  # shapes alone
            unet = build_unet(**{name: model[name] for name in ("image_size", "channels", "width")})
        expected = {f"unet.{name}": tuple(each.shape) for name, each in unet.state_dict().items()}
        if dict(shapes) != expected:
            wrong = sorted(name for name in shapes.keys() | expected if shapes.get(name) != expected.get(name))
            raise ValueError(f"{len(wrong)} tensors are not those of the network it names, the first is {wrong[0]}")
    except (*SENSELESS, UserError) as error:
        raise UserError(
            f"{folder} does not describe a model of images ({error}); train one with `dfplan train task={NAME}`"
        ) from error


def _require_diffusers() -> None:
    try:
        import diffusers  # noqa: F401
    except ImportError as error:
        raise UserError(f"{NAME} uses the diffusers package: pip install dfplan[images]") from error
