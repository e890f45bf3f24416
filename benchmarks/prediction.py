"""Frames in, actions given, frames out: the weights of a planner that sees as a model of what it will see."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from frechet import frechet_distance
from torch import nn

from dfplan.domains.maze.state_estimator import StateEstimator
from dfplan.errors import UserError
from dfplan.models import load_forcing_model
from dfplan.models.bundle import bundle_checksum
from dfplan.models.sight import LatentSight
from dfplan.planner import Planner

LENGTHS = (1, 2, 4, 6, 8, 10)  # times the training length
SHOWN = (0.25, 0.5, 1, 2, 4, 6, 8, 10)  # of the strip
NUM_RESAMPLES = 200
# Each model is rolled out as suits it best: with the settings of these that are closest to the real frames at the end,
# on videos that are not reported. One level is what a model of next tokens is made for, slope 0 one of full sequences.
_STEADY: tuple[dict[str, Any], ...] = tuple({"stabilization_level": level} for level in (0.0, 0.02, 0.05, 0.1))
SETTINGS: Mapping[str, list[dict[str, Any]]] = {
    "forcing": [
        *_STEADY,
        *({"window_tokens": 1} | each for each in _STEADY),
        {"num_levels": 8, "stabilization_level": 0.02},
    ],
    "next-token": [
        *({"num_levels": 1, "window_tokens": window} | each for window in (0, 1) for each in _STEADY),
        {"num_levels": 3, "stabilization_level": 0.02},
    ],
    "full-sequence": [
        *({"pyramid_offset": 0.0, "num_levels": levels} | each for levels in (3, 10) for each in _STEADY),
        {"pyramid_offset": 0.0, "num_levels": 1, "stabilization_level": 0.02},
    ],
}


class WorldModel:
    """Predicts the frames that actions lead to, as far as there are actions.

    Actions are tokens' slots at level 0, observations are denoised from pure noise, and the goal is hidden. Beyond one
    training window, windows are chained; the last observation of one enters the next at the planner's
    ``stabilization_level``, so that small errors are taken for noise and not for truth (Diffusion Forcing, arXiv
    2407.01392, section 3.3).

    Args:
        planner: of the model; its settings say how to denoise.
        sight: what the model was trained to see with.
    """

    def __init__(self, planner: Planner, *, sight: LatentSight | StateEstimator) -> None:
        self.planner = planner
        self.sight = sight

    def roll_out(
        self, history: np.ndarray, actions: np.ndarray, *, generators: Sequence[torch.Generator]
    ) -> np.ndarray:
        """Observations that given actions lead to; nothing that happens meanwhile is looked at.

        Args:
            history: the last frames before the first action, oldest first:
                ``(frames, batch, height, width, channels)`` uint8.
            actions: ``(batch, steps, action_dim)``, a whole number of tokens.
            generators: one CPU generator per row of the batch.

        Returns:
            ``(batch, points, observation_dim)``, one every ``steps_per_point`` steps; :meth:`draw` shows them.

        Raises:
            UserError: shapes that do not fit.
        """
        if history.ndim != 5 or history.shape[1] != len(actions):
            raise UserError(
                f"history must be (frames, {len(actions)}, height, width, channels), one column a row of actions; "
                f"got {list(history.shape)}"
            )
        seen = np.stack([self.sight.places(frames) for frames in history])
        return self.planner.predict(self.sight.observations(seen), actions, generators=generators)

    def draw(self, observations: np.ndarray) -> np.ndarray:
        """Frames ``(…, height, width, channels)`` uint8 of predicted observations ``(…, observation_dim)``."""
        places = observations[..., : self.sight.place_dim].reshape(-1, self.sight.place_dim)
        frames = self.sight.frames(places)
        return frames.reshape(*observations.shape[:-1], *frames.shape[1:])


def convolutions(num_features: int) -> nn.Sequential:
    """A small network from pictures ``[batch, 3, 64, 64]`` to features ``[batch, num_features]``, to be trained."""
    return nn.Sequential(
        nn.Conv2d(3, 16, 5, stride=2, padding=2),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(32, 32, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 8 * 8, num_features),
    )


def features(network: Any, frames: np.ndarray, *, chunk: int = 512) -> np.ndarray:
    """What ``network.features`` makes of frames ``(n, height, width, 3)`` uint8: ``(n, dim)``."""
    parts = [network.features(torch.from_numpy(frames[at : at + chunk])) for at in range(0, len(frames), chunk)]
    return torch.cat(parts).numpy()


def frechet(predicted: np.ndarray, real: np.ndarray, *, num_drives: int) -> dict[str, float]:
    """Fréchet distance of features ``(drives * points, dim)``, and 95 % of what it is on drives drawn anew from these.

    A drive that is drawn brings both, what was predicted for it and what was real.
    """
    drives = [each.reshape(num_drives, -1, each.shape[-1]) for each in (predicted, real)]
    generator, found = np.random.default_rng(0), []
    for _ in range(NUM_RESAMPLES):
        rows = generator.integers(num_drives, size=num_drives)
        found.append(frechet_distance(*(each[rows].reshape(-1, each.shape[-1]) for each in drives)))
    low, high = np.quantile(found, (0.025, 0.975))
    return {"frechet": frechet_distance(predicted, real), "frechet_low": float(low), "frechet_high": float(high)}


def pixel_error(frames: np.ndarray, real: np.ndarray) -> float:
    """Mean squared difference of pixels in [0, 1]."""
    return float(np.mean([((a.astype(np.float32) - b) / 255) ** 2 for a, b in zip(frames, real, strict=True)]))


def facts_of(folder: Path) -> Mapping[str, Any]:
    """How a model was trained, as its bundle tells, and its checksum; folders by their names alone."""
    metadata = load_forcing_model(folder).metadata
    facts = {name: metadata[name] for name in ("model", "frames", "provenance")}
    return {"sha256": bundle_checksum(folder)} | without_folders(facts)


def without_folders(facts: Any) -> Any:
    """The same, but of paths only the last part: where things lay on a machine says nothing."""
    if isinstance(facts, Mapping):
        return {name: without_folders(each) for name, each in facts.items()}
    return Path(facts).name if isinstance(facts, str) and Path(facts).is_absolute() else facts
