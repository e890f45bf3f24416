"""Frame encoders whose features a planner can be aligned with: our own small one, and any other by name."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the customary name
from torch import Tensor, nn

from dfplan.errors import UserError
from dfplan.models.bundle import find_bundle, load_bundle, save_bundle
from dfplan.models.description import check_sizes
from dfplan.models.forcing_model import SENSELESS, load_weights

_PREFIX = "encoder."
RANDOM = "random"

# What encoders trained on photographs expect of a picture: height and width, mean and deviation of its colours.
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
PRETRAINED_SIZES = {"dinov2": 224, "mae": 224, "mocov3": 224}


class FrameEncoder(nn.Module):
    """A small convolutional network from frames to features.

    Args:
        feature_dim: numbers in a feature.
        width: channels of the first layer; the next two have twice and four times as many.
    """

    def __init__(self, *, feature_dim: int = 32, width: int = 16) -> None:
        super().__init__()
        self.feature_dim, self.width = feature_dim, width
        self.layers = nn.Sequential(
            nn.Conv2d(3, width, 6, stride=4, padding=1),
            nn.GELU(),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
            nn.GELU(),
            nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1),
            nn.GELU(),
            nn.Flatten(),
            nn.Linear(4 * width * 4 * 4, feature_dim),  # 64 x 64 pixels have become 4 x 4 places
        )

    def forward(self, frames: Tensor) -> Tensor:
        """Features ``[n, feature_dim]`` of frames ``[n, 64, 64, 3]`` uint8."""
        return self.layers(frames.permute(0, 3, 1, 2).float() / 127.5 - 1)


class PretrainedEncoder(nn.Module):
    """An encoder trained on photographs, fed with frames of any size as it expects them.

    dfplan downloads nothing: the caller loads the network and hands it over.

    Args:
        name: what it is: ``dinov2``, ``mae`` or ``mocov3``, all of which read 224 x 224 pixels with ImageNet's colours.
        network: from pictures ``[n, 3, 224, 224]`` to features ``[n, dim]`` (one a picture: DINOv2's module returns its
            class token).

    Raises:
        UserError: unknown name.
    """

    def __init__(self, name: str, network: nn.Module) -> None:
        super().__init__()
        if name not in PRETRAINED_SIZES:
            raise UserError(f"unknown encoder {name!r}; known by name are {', '.join(PRETRAINED_SIZES)}")
        self.size = PRETRAINED_SIZES[name]
        self.network = network
        for part, values in zip(("mean", "std"), _IMAGENET, strict=True):
            self.register_buffer(part, torch.tensor(values)[:, None, None], persistent=False)

    mean: Tensor
    std: Tensor

    def forward(self, frames: Tensor) -> Tensor:
        """Features ``[n, dim]`` of frames ``[n, height, width, 3]`` uint8."""
        pictures = frames.permute(0, 3, 1, 2).float() / 255
        pictures = F.interpolate(pictures, size=(self.size, self.size), mode="bicubic", antialias=True)
        return self.network((pictures - self.mean) / self.std)


def frozen_encoder(name: str, *, seed: int, given: Mapping[str, nn.Module] | None = None) -> nn.Module:
    """Return an encoder in evaluation mode and without gradients to its weights.

    Args:
        name: ``random`` (an untrained :class:`FrameEncoder`, the control), the name of a pretrained network among
            ``given``, or the folder of a bundle that ``dfplan train task=self-supervised`` wrote.
        seed: of the random one's weights.
        given: networks by name, see :class:`PretrainedEncoder`.

    Raises:
        UserError: no such encoder, or one that is damaged.
    """
    if name == RANDOM:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            encoder: nn.Module = FrameEncoder()
    elif given and name in given:
        encoder = PretrainedEncoder(name, given[name])
    elif name in PRETRAINED_SIZES:
        raise UserError(
            f"dfplan comes without {name}; load the network yourself and hand it over: "
            f"given={{{name!r}: network}} of dfplan.tasks.aligned_forcing.build()"
        )
    else:
        encoder = load_frame_encoder(find_bundle(Path(name)) or Path(name))[0]
    return encoder.eval().requires_grad_(False)


def save_frame_encoder(folder: Path, encoder: FrameEncoder, metadata: Mapping[str, Any]) -> None:
    """Write the bundle that :func:`load_frame_encoder` reads; the folder is made if absent."""
    sizes = {"feature_dim": encoder.feature_dim, "width": encoder.width}
    tensors = {_PREFIX + name: value for name, value in encoder.state_dict().items()}
    save_bundle(folder, tensors, {**metadata, "frame_encoder": sizes})


def load_frame_encoder(folder: Path) -> tuple[FrameEncoder, dict[str, Any]]:
    """Rebuild an encoder and return it with the description of its bundle.

    Raises:
        UserError: the bundle is missing or damaged, or is not of a frame encoder.
    """
    tensors, metadata = load_bundle(folder, check=partial(_check_claims, folder=folder))
    encoder = FrameEncoder(**metadata["frame_encoder"])
    load_weights(encoder, tensors, prefix=_PREFIX, folder=folder)
    return encoder, metadata


def _check_claims(shapes: Mapping[str, tuple[int, ...]], metadata: Mapping[str, Any], *, folder: Path) -> None:
    """Refuse sizes that the tensors cannot have come from, before anything is built from them."""
    try:
        sizes = metadata["frame_encoder"]
        if sizes.keys() != {"feature_dim", "width"}:
            raise ValueError(f"its sizes must be feature_dim and width; got {', '.join(map(str, sizes))[:80]}")
        check_sizes(sizes, shapes)
        if shapes.get(f"{_PREFIX}layers.0.weight") != (sizes["width"], 3, 6, 6):
            raise ValueError("its first layer is not of the width it names")
        if not all(name.startswith(_PREFIX) for name in shapes):
            raise ValueError("it holds tensors of something else")
    except SENSELESS as error:
        raise UserError(
            f"{folder} does not describe a frame encoder ({error}); train one with `dfplan train task=self-supervised`"
        ) from error
