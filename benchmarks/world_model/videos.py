"""Real videos of a maze and what a fixed classifier makes of their frames."""

from dataclasses import dataclass

import numpy as np
import torch
from prediction import convolutions
from torch import Tensor, nn

from dfplan.domains.camera import load_camera
from dfplan.domains.maze.generate import generate_maze2d
from dfplan.domains.maze.sources import states_id


@dataclass(frozen=True)
class Videos:
    """Drives through the real maze, as the data's own controller does it, from goal to goal.

    Attributes:
        history: ``(frames, batch, 2)`` positions before the first action, oldest first.
        actions: ``(batch, steps, 2)``.
        positions: ``(batch, points, 2)`` where the real maze was, every ``steps_per_point`` steps.
    """

    history: np.ndarray
    actions: np.ndarray
    positions: np.ndarray


def drive(env_id: str, *, seeds: range, num_steps: int, steps_per_point: int, history_frames: int) -> Videos:
    """Drive one video a seed; no seed is that of a dataset that was trained on (0)."""
    before, actions, after = [], [], []
    for seed in seeds:
        rows = generate_maze2d(states_id(env_id), num_steps=history_frames + num_steps, seed=seed)
        positions, first = rows["infos/qpos"], history_frames - 1
        before.append(positions[:history_frames])
        actions.append(rows["actions"][first : first + num_steps])
        after.append(positions[first + steps_per_point : first + num_steps + 1 : steps_per_point])
    return Videos(np.stack(before, axis=1), np.stack(actions), np.stack(after))


class CellClassifier(nn.Module):
    """Tells the cell that the ball is in from a frame; what it thinks before it decides are the features.

    Args:
        num_cells: cells that the ball can be in.
        background: ``(height, width, 3)`` what a frame shows most of the time, 0 to 255; the ball is a few pixels.
    """

    FEATURES = 32
    background: Tensor

    def __init__(self, num_cells: int, *, background: Tensor) -> None:
        super().__init__()
        self.register_buffer("background", background)
        self.see = convolutions(self.FEATURES)
        self.decide = nn.Sequential(nn.ReLU(), nn.Linear(self.FEATURES, num_cells))

    def forward(self, frames: Tensor) -> Tensor:
        """Logits ``[batch, cells]`` of frames ``[batch, height, width, 3]`` uint8."""
        return self.decide(self.features(frames))

    def features(self, frames: Tensor) -> Tensor:
        """``[batch, FEATURES]``."""
        return self.see((frames.float() - self.background).permute(0, 3, 1, 2) / 64)


def train_classifier(env_id: str, *, seed: int, num_steps: int, batch_size: int = 64) -> tuple[CellClassifier, float]:
    """Train on frames of the real maze that no video shows; returns it frozen, and its accuracy on held-out frames."""
    camera = load_camera(env_id)
    positions = generate_maze2d(states_id(env_id), num_steps=20_000, seed=seed)["infos/qpos"]
    cells = np.rint(positions).astype(np.int64)
    cells = np.unique(cells, axis=0, return_inverse=True)[1].reshape(-1)
    torch.manual_seed(seed)
    background = torch.from_numpy(camera.render(positions[:: len(positions) // 500])).float().median(dim=0).values
    classifier, generator = CellClassifier(int(cells.max()) + 1, background=background), np.random.default_rng(seed)
    optimizer = torch.optim.Adam(classifier.parameters(), lr=2e-3)
    held_out = len(positions) * 9 // 10
    for _ in range(num_steps):
        rows = generator.integers(held_out, size=batch_size)
        logits = classifier(torch.from_numpy(camera.render(positions[rows])))
        optimizer.zero_grad()
        nn.functional.cross_entropy(logits, torch.from_numpy(cells[rows])).backward()
        optimizer.step()
    classifier.eval().requires_grad_(False)
    rows = np.arange(held_out, len(positions), 4)
    right = classifier(torch.from_numpy(camera.render(positions[rows]))).argmax(dim=1).numpy() == cells[rows]
    return classifier, float(right.mean())
