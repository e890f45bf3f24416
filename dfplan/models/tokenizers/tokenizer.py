"""The contract of frame tokenizers: pictures to a short vector and back, and the normalizer between."""

import abc

import torch
from torch import Tensor, nn

from dfplan.errors import UserError

CHUNK = 256  # frames worked on at a time: the memory of the largest layer stays small


class LatentNormalizer(nn.Module):
    """Brings latents to mean 0 and standard deviation 1, dimension by dimension, or divides all by one number.

    One number for all (a latent diffusion model's scaling factor; means stay) leaves dimensions that vary little
    drowned in noise; per dimension is the structure-aligned normalisation of StructLDM (arXiv 2404.01241). Where they
    are pooled, dimensions are the directions in which latents vary most (principal components), and no others are kept.

    Args:
        latent_dim: numbers in a latent.
        pooled: directions to keep; None is every dimension as it is.
    """

    _FLOOR = 1e-3  # of the largest standard deviation: a dimension that hardly varies is not blown up to noise

    def __init__(self, latent_dim: int, *, pooled: int | None = None) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(latent_dim))
        self.register_buffer("std", torch.ones(pooled or latent_dim))
        if pooled is not None:
            self.register_buffer("components", torch.eye(pooled, latent_dim))

    mean: Tensor
    std: Tensor
    components: Tensor

    @property
    def pools(self) -> bool:
        """Whether only some directions are kept."""
        return "components" in self._buffers

    def fit(self, latents: Tensor, *, per_dimension: bool = True) -> None:
        """Measure latents ``(n, latent_dim)``.

        Raises:
            UserError: they do not vary, or are not finite.
        """
        values = latents.double()
        mean, std = values.mean(dim=0), values.std(dim=0)
        if not (torch.isfinite(std).all() and std.max() > 0):
            raise UserError("the latents of the training frames do not vary or are not finite; train longer or anew")
        if self.pools:
            _, vectors = torch.linalg.eigh((values - mean).T @ (values - mean))
            components = vectors[:, -len(self.std) :].T.flip(0)
            self.components.copy_(components)
            std = ((values - mean) @ components.T).std(dim=0)
        if not per_dimension:
            mean = mean if self.pools else torch.zeros_like(mean)
            std = torch.full_like(std, float(std.square().mean().sqrt() if self.pools else values.std()))
        self.mean.copy_(mean)
        self.std.copy_(std.clamp_min(self._FLOOR * float(std.max())))

    def forward(self, latents: Tensor) -> Tensor:
        """Normalize latents ``(…, latent_dim)``."""
        centred = latents - self.mean
        return (centred @ self.components.T if self.pools else centred) / self.std

    def back(self, latents: Tensor) -> Tensor:
        """Undo :meth:`forward`, as far as what was kept says."""
        scaled = latents * self.std
        return (scaled @ self.components if self.pools else scaled) + self.mean


class FrameTokenizer(nn.Module, abc.ABC):
    """Turns frames into latents and back. Frozen, once it is trained.

    A subclass says how one chunk of frames becomes raw latents (``encode_raw``) and how raw latents become pictures
    (``decode_raw``); normalizing, chunks and types are the same for all.

    Args:
        latent_dim: numbers in a raw latent.
        frame_shape: height, width and channels of a frame.
        pooled: numbers in a normalized latent: see :class:`LatentNormalizer`.
    """

    def __init__(self, *, latent_dim: int, frame_shape: tuple[int, int, int], pooled: int | None = None) -> None:
        super().__init__()
        self.latent_dim = pooled or latent_dim
        self.frame_shape = frame_shape
        self.normalizer = LatentNormalizer(latent_dim, pooled=pooled)

    @abc.abstractmethod
    def encode_raw(self, pictures: Tensor) -> Tensor:
        """Raw latents ``(n, latent_dim)`` of pictures ``(n, channels, height, width)`` in [0, 1]."""

    @abc.abstractmethod
    def decode_raw(self, latents: Tensor) -> Tensor:
        """Pictures ``(n, channels, height, width)``, about in [0, 1], of raw latents ``(n, latent_dim)``."""

    @torch.no_grad()
    def encode(self, frames: Tensor) -> Tensor:
        """Normalized latents ``(n, latent_dim)`` of frames ``(n, height, width, channels)`` uint8.

        Raises:
            UserError: frames of another shape or type.
        """
        return self.normalizer(self.raw(frames))

    @torch.no_grad()
    def raw(self, frames: Tensor) -> Tensor:
        """Latents of frames as they are before they are normalized; see :meth:`encode`."""
        if tuple(frames.shape[1:]) != self.frame_shape or frames.dtype != torch.uint8:
            raise UserError(
                f"this tokenizer reads uint8 frames of shape {self.frame_shape}; "
                f"got {frames.dtype} of shape {tuple(frames.shape[1:])}"
            )
        parts = [self.encode_raw(to_pictures(part)) for part in frames.split(CHUNK)]
        return torch.cat(parts) if parts else self.normalizer.mean.new_zeros(0, len(self.normalizer.mean))

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Frames ``(n, height, width, channels)`` uint8 of normalized latents ``(n, latent_dim)``."""
        parts = [to_frames(self.decode_raw(self.normalizer.back(part))) for part in latents.split(CHUNK)]
        return torch.cat(parts) if parts else torch.zeros(0, *self.frame_shape, dtype=torch.uint8)


def to_pictures(frames: Tensor) -> Tensor:
    """Frames ``(n, height, width, channels)`` uint8 as what networks read: channels first, in [0, 1]."""
    return frames.permute(0, 3, 1, 2).float() / 255


def to_frames(pictures: Tensor) -> Tensor:
    """Undo :func:`to_pictures`, with what lies outside [0, 1] cut off."""
    return (pictures.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
