"""A frame tokenizer that is one of diffusers' autoencoders."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dfplan.options import option
from dfplan.tasks.inputs import Inputs

if TYPE_CHECKING:
    from dfplan.data.frame_dataset import FrameDataset
    from dfplan.training.autoencoding import AutoencoderTask

_NUM_BACKGROUND = 512  # frames whose median is the background
_USUAL_SHAPE = (64, 64, 3)  # which a description leaves out


@dataclass
class Settings:
    """The options of the task."""

    kind: str = option(
        "tiny = AutoencoderTiny; kl = AutoencoderKL, with a Gaussian over latents", choices=("tiny", "kl")
    )
    width: int = option("channels of the outer layers, a multiple of 8", low=8)
    latent_channels: int = option("numbers at each place, of which there are height / 8 x width / 8", low=1)
    pooled: int | None = option(
        "numbers that are kept of all places together, by principal components; null = all as they are", low=1
    )
    foreground_weight: float = option("how much more a pixel counts that is not background", low=0)
    kl_weight: float = option("weight of the divergence of latents from a standard Gaussian (kl)", low=0)
    normalize: str = option("how latents are scaled", choices=("per-dimension", "scalar"))


def build(settings: Settings, inputs: Inputs) -> "tuple[AutoencoderTask, FrameDataset]":
    """The task and the frames it learns from.

    Raises:
        UserError: no data, no pictures, no diffusers, or a size that does not divide.
    """
    import numpy as np
    import torch

    from dfplan.data.frame_dataset import FrameDataset
    from dfplan.data.split import hold_out
    from dfplan.models.tokenizers import build_tokenizer, to_pictures
    from dfplan.training.autoencoding import AutoencoderTask

    parts = hold_out(inputs.shown(), share=0.02)
    frames, held_out = (FrameDataset(part.pictures or {}) for part in parts)
    description: dict[str, Any] = {
        "name": f"autoencoder-{settings.kind}",
        "width": settings.width,
        "latent_channels": settings.latent_channels,
    }
    if settings.pooled is not None:
        description["pooled"] = settings.pooled
    if frames.frame_shape != _USUAL_SHAPE:
        description["frame_shape"] = list(frames.frame_shape)
    torch.manual_seed(inputs.seed)  # of the initial weights
    tokenizer = build_tokenizer(**description)
    seen = frames.sample(_NUM_BACKGROUND, np.random.default_rng(inputs.seed))["frames"]
    tokenizer.background.copy_(to_pictures(torch.from_numpy(seen)).median(dim=0).values)  # type: ignore[operator]
    task = AutoencoderTask(
        tokenizer,  # type: ignore[arg-type]
        settings,
        rates=inputs.optimizer,
        frames=frames,
        held_out=held_out,
        metadata={"env": inputs.env_name, "tokenizer": description, "provenance": dict(inputs.provenance)},
    )
    return task, frames
