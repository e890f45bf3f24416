"""Tokenizers on disk: weights and normalizer in one bundle."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch

from dfplan import plugins
from dfplan.errors import UserError
from dfplan.models.bundle import load_bundle, save_bundle
from dfplan.models.description import check_shapes, check_sizes
from dfplan.models.forcing_model import SENSELESS, load_weights
from dfplan.models.tokenizers.autoencoders import AutoencoderTokenizer, KLAutoencoder, TinyAutoencoder
from dfplan.models.tokenizers.keypoints import KeypointTokenizer
from dfplan.models.tokenizers.principal import PrincipalTokenizer
from dfplan.models.tokenizers.tokenizer import FrameTokenizer

_PREFIX = "tokenizer."
_KINDS: dict[str, type[FrameTokenizer]] = {
    "keypoints": KeypointTokenizer,
    "principal": PrincipalTokenizer,
    "autoencoder-tiny": TinyAutoencoder,
    "autoencoder-kl": KLAutoencoder,
}

TOKENIZER_FOLDER = "tokenizer"  # inside the bundle of a planner that sees


def build_tokenizer(name: str, **sizes: Any) -> FrameTokenizer:
    """Build an untrained tokenizer.

    Args:
        name: ``keypoints``, ``principal``, ``autoencoder-tiny``, ``autoencoder-kl``, or one of an installed package.
        sizes: keyword arguments of :class:`KeypointTokenizer`, :class:`PrincipalTokenizer`, :class:`TinyAutoencoder` or
            :class:`KLAutoencoder`.

    Raises:
        UserError: unknown name or size, or diffusers is needed and not installed.
    """
    kind = plugins.find("tokenizers", name, own=_KINDS)
    if "frame_shape" in sizes:
        sizes["frame_shape"] = tuple(sizes["frame_shape"])
    try:
        return kind(**sizes)
    except TypeError as error:
        raise UserError(f"the sizes {sizes} do not fit tokenizer {name!r}: {error}") from error


def save_tokenizer(folder: Path, tokenizer: FrameTokenizer, metadata: Mapping[str, Any]) -> None:
    """Write the bundle that :func:`load_tokenizer` reads.

    Args:
        folder: made if absent.
        tokenizer: trained, its normalizer fitted.
        metadata: with ``tokenizer``: the name and sizes that :func:`build_tokenizer` takes.
    """
    save_bundle(folder, {_PREFIX + name: value for name, value in tokenizer.state_dict().items()}, metadata)


def load_tokenizer(folder: Path) -> tuple[FrameTokenizer, dict[str, Any]]:
    """Rebuild a tokenizer, in evaluation mode and frozen, and return it with the description of its bundle.

    Raises:
        UserError: the bundle is missing or damaged, or is not of a tokenizer.
    """
    tensors, metadata = load_bundle(folder, check=partial(_check_claims, folder=folder))
    tokenizer = build_tokenizer(**metadata["tokenizer"])
    load_weights(tokenizer, tensors, prefix=_PREFIX, folder=folder)
    return tokenizer.eval().requires_grad_(False), metadata


def _check_claims(shapes: Mapping[str, tuple[int, ...]], metadata: Mapping[str, Any], *, folder: Path) -> None:
    """Refuse sizes that the tensors cannot have come from, before anything is built from them."""
    try:
        sizes = {name: value for name, value in metadata["tokenizer"].items() if name not in ("name", "frame_shape")}
        if (shape := metadata["tokenizer"].get("frame_shape")) is not None:
            height, length, channels = shape
            if shapes[_PREFIX + "background"] != (channels, height, length):
                raise ValueError(f"its frames are not of the shape {shape!r:.40} that it names")
        kind = _KINDS.get(metadata["tokenizer"]["name"])
        if kind is None:  # of a package, whose sizes are its own affair
            with torch.device("meta"):  # without memory
                check_shapes(build_tokenizer(**metadata["tokenizer"]), shapes, prefix=_PREFIX)
        else:
            check_sizes(sizes, shapes)
        if kind is not None and issubclass(kind, AutoencoderTokenizer):
            kind.check_claims(sizes, shapes)
        if not all(name.startswith(_PREFIX) for name in shapes):
            raise ValueError("it holds tensors of something else")
    except SENSELESS as error:
        raise UserError(
            f"{folder} does not describe a frame tokenizer ({error}); train one with `dfplan train task=keypoints`"
        ) from error
