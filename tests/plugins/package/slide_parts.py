"""A package outside dfplan that brings one part of every kind: a disc that slides along a line."""

import gymnasium
import numpy as np
import torch
from torch import nn

from dfplan.domains.gymnasium import GymnasiumDomain
from dfplan.models.denoiser import Denoiser, DenoiserState, LevelEmbedding, TokenEmbedding
from dfplan.models.tokenizers import FrameTokenizer
from dfplan.scorers import ReturnScorer


class SlideEnv(gymnasium.Env):
    """Push the disc; rewards are for being on the right."""

    observation_space = gymnasium.spaces.Box(-10, 10, (2,), np.float32)
    action_space = gymnasium.spaces.Box(-1, 1, (1,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.state = self.np_random.uniform(-1, 1, 2).astype(np.float32)
        return self.state, {}

    def step(self, action):
        place, speed = self.state
        speed = 0.9 * speed + 0.1 * float(action[0])
        self.state = np.array([np.clip(place + speed, -10, 10), speed], np.float32)
        return self.state, float(self.state[0]), False, False, {}


gymnasium.register("Slide-v0", entry_point=SlideEnv, max_episode_steps=20)


class SlideScorer(ReturnScorer):
    """Rewards as they are predicted, and no value at the end."""

    kind = "slide"


class SlideDomain(GymnasiumDomain):
    """All of it is Gymnasium's, but for the scorer."""

    def fit_scorer(self, data):
        return SlideScorer(0.9)


class RunningAverage(Denoiser):
    """A token is guessed from itself and the mean of those before it: causal, with the sums for a state."""

    def __init__(self, *, token_dim, goal_slots, num_prefix_tokens, width, **others):
        super().__init__()
        self.token_dim = token_dim
        self.embed = TokenEmbedding(
            token_dim=token_dim, width=width, goal_slots=goal_slots, num_prefix_tokens=num_prefix_tokens
        )
        self.levels = LevelEmbedding(width)
        self.head = nn.Sequential(nn.Linear(2 * width, width), nn.SiLU(), nn.Linear(width, token_dim))

    def block_matrices(self):
        return []

    def forward(self, noisy, levels, state=None):
        first = 0 if state is None else state.num_tokens
        embedded = self.embed(noisy, first=first) + self.levels(levels)
        sums = embedded.cumsum(dim=1)
        if first:
            sums = sums + state.layers[0][:, -1:]
        counts = torch.arange(first + 1, first + 1 + noisy.shape[1], device=noisy.device)[:, None]
        kept = sums if state is None else torch.cat([state.layers[0], sums], dim=1)
        return self.head(torch.cat([embedded, sums / counts], dim=-1)), DenoiserState((kept,))


def leftwards(plan):
    """How far to the left a plan is, in units of log-probability."""
    return -100 * plan.observations[..., 0].mean(dim=-1)


def two_halves(num_tokens):
    """The first half of a plan in three levels, then the second half."""
    first = torch.arange(num_tokens) < num_tokens // 2
    rows = torch.arange(7)[:, None]
    return torch.where(first, 3 - rows, 6 - rows).clamp(0, 3)


class Brightness(FrameTokenizer):
    """A picture by its brightness alone."""

    def __init__(self, *, image_size):
        super().__init__(latent_dim=1, frame_shape=(image_size, image_size, 3))
        self.scale = nn.Parameter(torch.ones(1))

    def encode_raw(self, pictures):
        return self.scale * pictures.mean(dim=(1, 2, 3))[:, None]

    def decode_raw(self, latents):
        return (latents / self.scale)[..., None, None].expand(-1, *self.frame_shape[2:], *self.frame_shape[:2])
