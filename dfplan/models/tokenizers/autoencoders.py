"""Tokenizers made of diffusers' autoencoders at a small size, on what differs from the background."""

import abc
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from dfplan.errors import UserError
from dfplan.models.description import Shapes
from dfplan.models.tokenizers.tokenizer import FrameTokenizer

_NUM_HALVINGS = 3  # of height and width: 64 pixels become 8 places


class AutoencoderTokenizer(FrameTokenizer):
    """What the autoencoders share: the background is taken out before the network and put back behind it.

    Latents stay spatial, ``latent_channels`` numbers at each of 8 x 8 places of a 64 x 64 frame: through a bottleneck
    without places a small agent is lost (benchmarks/tokenizers).

    Args:
        width: channels of the outer layers, a multiple of 8.
        latent_channels: numbers at each place.
        frame_shape: height, width and channels of a frame.
        pooled: numbers that are kept of all places: see :class:`LatentNormalizer`.

    Raises:
        UserError: diffusers is not installed, or a size that does not divide.
    """

    def __init__(
        self,
        *,
        width: int = 16,
        latent_channels: int = 4,
        frame_shape: tuple[int, int, int] = (64, 64, 3),
        pooled: int | None = None,
    ) -> None:
        height, length, channels = frame_shape
        if width % 8 or height % (1 << _NUM_HALVINGS) or length % (1 << _NUM_HALVINGS):
            raise UserError(
                f"width, and height and length of frames, must be multiples of 8; got {width}, {height} and {length}"
            )
        self.latent_shape = (latent_channels, height >> _NUM_HALVINGS, length >> _NUM_HALVINGS)
        super().__init__(latent_dim=math.prod(self.latent_shape), frame_shape=frame_shape, pooled=pooled)
        self.register_buffer("background", torch.zeros(channels, height, length))
        self.network = self._build(width=width, latent_channels=latent_channels, channels=channels)
        # On a CPU convolutions of few channels are 1.5 times faster with the channels last in memory.
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    background: Tensor
    FEWEST_NUMBERS: int  # of the network, by the square of its width

    @classmethod
    def check_claims(cls, sizes: Mapping[str, int], shapes: Shapes) -> None:
        """Refuse sizes of a network with more numbers than the tensors beside them hold, before it takes any memory.

        Raises:
            ValueError: says how many are missing.
        """
        width, latent_channels = sizes["width"], sizes["latent_channels"]
        needed, found = (
            width * max(cls.FEWEST_NUMBERS * width, 9 * latent_channels),
            sum(map(math.prod, shapes.values())),
        )
        if needed > found:
            raise ValueError(f"its network has at least {needed:,} numbers, its tensors hold {found:,}")

    @abc.abstractmethod
    def _build(self, *, width: int, latent_channels: int, channels: int) -> nn.Module:
        """The network of diffusers."""

    @abc.abstractmethod
    def sample(self, pictures: Tensor, *, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """What training decodes: raw latents ``(n, latent_dim)`` and what they cost, in nats a frame ``(n,)``."""

    def encode_raw(self, pictures: Tensor) -> Tensor:
        """See :class:`FrameTokenizer`."""
        return self._encoded(pictures).flatten(1)

    def decode_raw(self, latents: Tensor) -> Tensor:
        """See :class:`FrameTokenizer`."""
        return self.background + self.network.decode(latents.unflatten(1, self.latent_shape)).sample  # type: ignore[operator]

    @abc.abstractmethod
    def _encoded(self, pictures: Tensor) -> Tensor:
        """Latents as the network has them."""

    def _difference(self, pictures: Tensor) -> Tensor:
        return (pictures - self.background).contiguous(memory_format=torch.channels_last)


class TinyAutoencoder(AutoencoderTokenizer):
    """diffusers' ``AutoencoderTiny``: plain convolutions, no distribution over latents; see the base class."""

    FEWEST_NUMBERS = 216

    def _build(self, *, width: int, latent_channels: int, channels: int) -> nn.Module:
        widths, blocks = (width,) * (_NUM_HALVINGS + 1), (1,) * _NUM_HALVINGS
        return _diffusers().AutoencoderTiny(
            in_channels=channels,
            out_channels=channels,
            encoder_block_out_channels=widths,
            decoder_block_out_channels=widths,
            num_encoder_blocks=(0, *blocks),  # the layers at full resolution cost more than all others together
            num_decoder_blocks=(*blocks, 0),
            latent_channels=latent_channels,
        )

    def sample(self, pictures: Tensor, *, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """See the base class; it costs nothing."""
        return self.encode_raw(pictures), pictures.new_zeros(len(pictures))

    def _encoded(self, pictures: Tensor) -> Tensor:
        return self.network.encode(self._difference(pictures)).latents  # type: ignore[operator]


class KLAutoencoder(AutoencoderTokenizer):
    """diffusers' ``AutoencoderKL`` without attention: a Gaussian over latents, of which the mean is the latent."""

    FEWEST_NUMBERS = 700

    def _build(self, *, width: int, latent_channels: int, channels: int) -> nn.Module:
        blocks = _NUM_HALVINGS + 1
        return _diffusers().AutoencoderKL(
            in_channels=channels,
            out_channels=channels,
            down_block_types=("DownEncoderBlock2D",) * blocks,
            up_block_types=("UpDecoderBlock2D",) * blocks,
            block_out_channels=(width // 2, width, width, 2 * width),
            layers_per_block=1,
            latent_channels=latent_channels,
            norm_num_groups=min(8, width // 2),
            mid_block_add_attention=False,
        )

    def sample(self, pictures: Tensor, *, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """See the base class: the divergence from a standard Gaussian (arXiv 1312.6114, appendix B)."""
        distribution = self._distribution(pictures)
        noise = torch.randn(distribution.mean.shape, generator=generator).to(pictures.device)
        return (distribution.mean + distribution.std * noise).flatten(1), distribution.kl()

    def _encoded(self, pictures: Tensor) -> Tensor:
        return self._distribution(pictures).mean

    def _distribution(self, pictures: Tensor) -> Any:
        return self.network.encode(self._difference(pictures)).latent_dist  # type: ignore[operator]


def _diffusers() -> Any:
    """diffusers, loaded when it is needed: it takes seconds, and is optional."""
    try:
        import diffusers
    except ImportError as error:
        raise UserError(
            "autoencoder tokenizers need diffusers; install it with pip install 'dfplan[images]'"
        ) from error
    return diffusers
