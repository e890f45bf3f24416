"""The plainest tokenizer: principal components of frames. No training, no assumption of what is in them."""

import torch
from torch import Tensor

from dfplan.errors import UserError
from dfplan.models.tokenizers.tokenizer import FrameTokenizer, to_pictures


class PrincipalTokenizer(FrameTokenizer):
    """Projects the difference from the mean frame on the directions in which frames vary most.

    Args:
        latent_dim: components.
        frame_shape: height, width and channels of a frame.
    """

    def __init__(self, *, latent_dim: int = 16, frame_shape: tuple[int, int, int] = (64, 64, 3)) -> None:
        super().__init__(latent_dim=latent_dim, frame_shape=frame_shape)
        height, width, channels = frame_shape
        self.register_buffer("background", torch.zeros(channels, height, width))
        self.register_buffer("components", torch.zeros(latent_dim, channels, height, width))

    background: Tensor
    components: Tensor

    @torch.no_grad()
    def fit(self, frames: Tensor) -> None:
        """Measure mean, components and normalizer on frames ``(n, height, width, channels)`` uint8.

        Raises:
            UserError: fewer frames than components.
        """
        if len(frames) <= self.latent_dim:
            raise UserError(f"{self.latent_dim} components need more frames than {len(frames)}")
        pictures = to_pictures(frames)
        self.background.copy_(pictures.mean(dim=0))
        differences = (pictures - self.background).flatten(1)
        # Fewer frames than pixels: the eigenvectors of the small matrix of products lead to the components.
        values, vectors = torch.linalg.eigh(differences @ differences.T)
        components = vectors[:, -self.latent_dim :].T @ differences / values[-self.latent_dim :, None].sqrt()
        self.components.copy_(components.view_as(self.components))
        self.normalizer.fit(self.encode_raw(pictures))

    def encode_raw(self, pictures: Tensor) -> Tensor:
        """See :class:`FrameTokenizer`."""
        return (pictures - self.background).flatten(1) @ self.components.flatten(1).T

    def decode_raw(self, latents: Tensor) -> Tensor:
        """See :class:`FrameTokenizer`."""
        return self.background + (latents @ self.components.flatten(1)).unflatten(1, self.background.shape)
