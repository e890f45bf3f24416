"""What the autoencoders are compared with: a variational autoencoder whose latent is a vector without places."""

import tempfile
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import torch
from torch import Tensor, nn

from dfplan.models.tokenizers import FrameTokenizer
from dfplan.settings.training import Rates
from dfplan.training import Settings, train
from dfplan.training.autoencoding import AutoencoderTask
from dfplan.training.task import Dataset

_WIDTHS = (3, 16, 32, 64, 64)


class VectorAutoencoder(FrameTokenizer):
    """Convolutions down to 4 x 4 places, then one linear layer to the latent; the same in reverse."""

    def __init__(self, *, latent_dim: int = 16) -> None:
        super().__init__(latent_dim=latent_dim, frame_shape=(64, 64, 3))
        self.register_buffer("background", torch.zeros(3, 64, 64))
        down, up = [], []
        for narrow, wide in pairwise(_WIDTHS):
            down += [nn.Conv2d(narrow, wide, 4, stride=2, padding=1), nn.GELU()]
            up = [nn.ConvTranspose2d(wide, narrow, 4, stride=2, padding=1), nn.GELU(), *up]
        places = _WIDTHS[-1] * 4 * 4
        self.down = nn.Sequential(*down, nn.Flatten(), nn.Linear(places, 2 * latent_dim))
        self.up = nn.Sequential(
            nn.Linear(latent_dim, places), nn.Unflatten(1, (_WIDTHS[-1], 4, 4)), nn.GELU(), *up[:-1]
        )

    background: Tensor

    def encode_raw(self, pictures: Tensor) -> Tensor:
        """The mean of the Gaussian over latents."""
        return self.down(pictures - self.background)[:, : self.latent_dim]

    def decode_raw(self, latents: Tensor) -> Tensor:
        """See :class:`FrameTokenizer`."""
        return self.background + self.up(latents)

    def sample(self, pictures: Tensor, *, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """A draw from the Gaussian over latents, and its divergence from a standard one."""
        mean, log_variance = self.down(pictures - self.background).chunk(2, dim=1)
        noise = torch.randn(mean.shape, generator=generator)
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1)
        return mean + (0.5 * log_variance).exp() * noise, divergence


def trained_vector(
    frames: Dataset, held_out: Dataset, *, background: Tensor, seed: int, num_steps: int
) -> VectorAutoencoder:
    """Trained as the others are: the same loss, on as many frames a step as AutoencoderTiny has in four."""
    torch.manual_seed(seed)
    tokenizer = VectorAutoencoder()
    tokenizer.background.copy_(background)
    task = AutoencoderTask(
        tokenizer,  # type: ignore[arg-type] - it has what the task asks for
        SimpleNamespace(foreground_weight=100.0, kl_weight=1e-6, normalize="per-dimension"),  # type: ignore[arg-type]
        rates=Rates(learning_rate=2e-3, weight_decay=1e-4),
        frames=frames,
        held_out=held_out,
        metadata={},
    )
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            num_steps=num_steps, batch_size=64, seed=seed, warmup_steps=30, decay="linear", decay_start=0.5,
            ema_decay=0.0, checkpoint_every=num_steps, device="cpu",
        )  # fmt: skip
        train(task, frames, settings, run_folder=Path(folder) / "run", progress=False)
    return tokenizer.eval().requires_grad_(False)
