"""Drives among discs that swing, where the discs are in a picture, and a network whose features tell pictures apart."""

from dataclasses import dataclass

import numpy as np
import torch
from prediction import convolutions
from torch import Tensor, nn

from dfplan_envs.discs import DiscsEnv
from dfplan_envs.discs_picture import COLORS, EDGE, FLOOR, IMAGE_SIZE, draw
from dfplan_envs.discs_table import NUM_PLACES

NOISE = 0.3  # on the driver's actions, as in the data at most
SOFTNESS = 40.0  # of colours, of 255
SURE = 0.3  # a pixel is a disc's where its share of all colours, squared, is above that


@dataclass(frozen=True)
class Drives:
    """Real drives, as the script of the data goes, with noise.

    Attributes:
        history: ``(frames, batch, 8)`` places before the first action, oldest first.
        actions: ``(batch, steps, 2)``.
        places: ``(batch, points, 8)`` where everything was, every ``steps_per_point`` steps.
    """

    history: np.ndarray
    actions: np.ndarray
    places: np.ndarray


def drive(*, seeds: range, num_steps: int, steps_per_point: int, history_frames: int) -> Drives:
    """One drive a seed; data are of seeds that are none of these."""
    env, before, done, after = DiscsEnv(), [], [], []
    for seed in seeds:
        generator = np.random.default_rng([seed, 1])
        script, state = DiscsEnv.driver(generator), env.reset(seed=seed)[0]
        states, actions = [state], []
        for _ in range(history_frames - 1 + num_steps):
            action = np.clip(script(states[-1]) + NOISE * generator.normal(size=2), -1, 1).astype(np.float32)
            states.append(env.step(action)[0])
            actions.append(action)
        places, first = np.array(states)[:, :NUM_PLACES], history_frames - 1
        before.append(places[:history_frames])
        done.append(actions[first:])
        after.append(places[first + steps_per_point :: steps_per_point])
    return Drives(np.stack(before, axis=1), np.array(done), np.array(after))


def find(frames: np.ndarray) -> np.ndarray:
    """Where each disc is, ``(n, 4, 2)``, in pictures ``(n, 64, 64, 3)``: the middle of the pixels of its colour.

    One that is not to be seen is said to be in the middle of the picture.
    """
    palette = np.array([FLOOR, *COLORS], np.float32)
    along = ((np.arange(IMAGE_SIZE) + 0.5) * EDGE / IMAGE_SIZE - EDGE / 2).astype(np.float32)
    points = np.stack([each.ravel() for each in np.meshgrid(along, -along)], axis=1)
    found = []
    for frame in frames.reshape(len(frames), -1, 3).astype(np.float32):
        share = np.exp(-np.square(frame[:, None] - palette).sum(axis=-1) / (2 * SOFTNESS**2))
        share = np.square(share / share.sum(axis=1, keepdims=True))[:, 1:]
        share = np.where(share > SURE, share, 0)
        found.append(share.T @ points / np.maximum(share.sum(axis=0)[:, None], 1e-9))
    return np.array(found)


class Looker(nn.Module):
    """Tells from a picture where the discs are; what it thinks before it says so are the features."""

    FEATURES = 32

    def __init__(self) -> None:
        super().__init__()
        self.see = convolutions(self.FEATURES)
        self.decide = nn.Sequential(nn.ReLU(), nn.Linear(self.FEATURES, NUM_PLACES))

    def forward(self, frames: Tensor) -> Tensor:
        """Places ``[batch, 8]`` in pictures ``[batch, 64, 64, 3]`` uint8."""
        return self.decide(self.features(frames))

    def features(self, frames: Tensor) -> Tensor:
        """``[batch, FEATURES]``."""
        return self.see((frames.float() - torch.tensor(FLOOR)).permute(0, 3, 1, 2) / 128)


def train_looker(*, seed: int, num_steps: int, batch_size: int = 64) -> tuple[Looker, float]:
    """Train on drives that nothing else is shown; the network, frozen, and its median error on others."""
    seen, held_out = (
        drive(seeds=range(first, first + count), num_steps=400, steps_per_point=1, history_frames=1).places
        for first, count in ((10**6 * (seed + 1), 20), (10**6 * (seed + 1) + 1000, 2))
    )
    torch.manual_seed(seed)
    looker, generator = Looker(), np.random.default_rng(seed)
    optimizer = torch.optim.Adam(looker.parameters(), lr=2e-3)
    places = seen.reshape(-1, NUM_PLACES)
    for _ in range(num_steps):
        chosen = places[generator.integers(len(places), size=batch_size)]
        error = looker(torch.from_numpy(draw(chosen))) - torch.from_numpy(chosen)
        optimizer.zero_grad()
        error.square().mean().backward()
        optimizer.step()
    looker.eval().requires_grad_(False)
    others = held_out.reshape(-1, NUM_PLACES)
    error = (looker(torch.from_numpy(draw(others))).numpy() - others).reshape(-1, 2)
    return looker, float(np.median(np.linalg.norm(error, axis=1)))
