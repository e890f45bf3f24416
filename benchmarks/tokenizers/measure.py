"""What a tokenizer's latents hold of the agent's position: decoded, linearly, by neighbours; with noise and without."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dfplan.models.tokenizers import FrameTokenizer, to_pictures
from dfplan.models.tokenizers.readout import foreground_centres

sys.path.append(str(Path(__file__).parents[1]))
from representations import ProbeResult, linear_probe, nearest_neighbour_probe

NOISE = 0.3  # in standard deviations of the latents, as the planner sees them
NUM_TIMED = 512


@dataclass(frozen=True)
class Sample:
    """Frames and the positions they show."""

    frames: Tensor
    positions: np.ndarray


def measure(tokenizer: FrameTokenizer, *, fit: Sample, test: Sample, seed: int) -> dict[str, Any]:
    """All measures of a tokenizer, errors in cells of the maze.

    Args:
        tokenizer: frozen, normalized.
        fit: what probes are fitted on.
        test: what everything is measured on.
        seed: of the noise on the latents of ``test``.
    """
    latents, test_latents = tokenizer.encode(fit.frames), tokenizer.encode(test.frames)
    noise = torch.randn(test_latents.shape, generator=torch.Generator().manual_seed(seed))
    raw_std = tokenizer.normalizer.back(latents).std(dim=0)
    background = tokenizer.background
    started = time.perf_counter()
    tokenizer.encode(fit.frames[:NUM_TIMED])
    seconds = time.perf_counter() - started
    measures: dict[str, Any] = {
        "parameters": sum(each.numel() for each in tokenizer.parameters()),
        "latent_dim": tokenizer.latent_dim,
        "raw_std_max_over_min": float(raw_std.max() / raw_std.min()),
        "encoded_frames_per_second": len(fit.frames[:NUM_TIMED]) / seconds,
    }
    for name, values in (("clean", test_latents), ("noisy", test_latents + NOISE * noise)):
        held_out = {"held_out": values.numpy(), "held_out_targets": test.positions}
        measures[name] = {
            "decoded": summary(decoded_positions(tokenizer.decode(values), background, fit=fit, truth=test.positions)),
            "linear": summary(linear_probe(latents.numpy(), fit.positions, **held_out)),
            "neighbours": summary(nearest_neighbour_probe(latents.numpy(), fit.positions, **held_out)),
        }
    return measures


def decoded_positions(frames: Tensor, background: Tensor, *, fit: Sample, truth: np.ndarray) -> ProbeResult:
    """Positions read from decoded frames by the centre of their foreground, calibrated on true frames."""
    true_centres, centres = (foreground_centres(to_pictures(each), background) for each in (fit.frames, frames))
    return linear_probe(true_centres.numpy(), fit.positions, held_out=centres.numpy(), held_out_targets=truth)


def summary(probe: ProbeResult) -> dict[str, float]:
    """The numbers of a probe that are kept."""
    return {"median": probe.median, "p95": probe.p95, "r2": probe.r2}
