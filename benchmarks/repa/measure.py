"""What one checkpoint of a planner knows and scores: probe, CKNNA, denoising loss, episodes."""

import contextlib
import json
import sys
import tempfile
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hidden_states import hidden_states
from torch import nn

from dfplan.cli.main import main as dfplan
from dfplan.data.windows import WindowBatch, WindowDataset
from dfplan.models.bundle import load_bundle, save_bundle
from dfplan.models.forcing_model import ForcingModel, load_forcing_model
from dfplan.settings.windows import WindowSettings
from dfplan.training.alignment import FrameFeatures, StateFeatures
from dfplan.training.checkpoint import checkpoint_folder, under_prefix
from dfplan.types import Trajectories

sys.path.append(str(Path(__file__).parents[1]))
from representations import cknna, linear_probe

LEVEL = 0.5  # noise level of the tokens whose hidden states are looked at
NUM_WINDOWS, NUM_ALIKE = 256, 1000
SCORES = ("normalized_return", "latched_normalized_return", "success_rate", "first_touch_step", "planned_wall_share")


def model_at(run: Path, step: int, *, folder: Path) -> ForcingModel:
    """The planner that a run would have exported at a checkpoint, its averaged weights; written to ``folder``."""
    tensors, metadata = load_bundle(run / "model")
    checkpoint, _ = load_bundle(checkpoint_folder(run / "checkpoints", step))
    averaged = {f"denoiser.{name}": value for name, value in under_prefix("average.denoiser", checkpoint).items()}
    if not averaged.keys() <= tensors.keys():
        raise ValueError(f"{run}: the checkpoint holds weights that the exported model has not")
    save_bundle(folder, tensors | averaged, metadata)
    return load_forcing_model(folder)


def held_out_windows(trajectories: Trajectories, model: ForcingModel) -> WindowBatch:
    """The windows that are looked at, the same for every model."""
    layout = model.layout
    settings = WindowSettings(
        steps_per_token=layout.steps_per_token,
        points_per_token=layout.points_per_token,
        segment_goal_share=0.5,
        held_steps=0,
    )
    windows = WindowDataset(trajectories, settings, num_tokens=model.num_tokens, goal_dim=layout.goal_dim)
    return windows.sample(NUM_WINDOWS, np.random.default_rng(0))


def representation(
    model: ForcingModel, batches: Sequence[WindowBatch], *, encoder: nn.Module, camera: Any
) -> dict[str, Any]:
    """Per block: how well position is read from it, and how alike it is to the encoder's features and to the state.

    The probe is fitted on the first batch and tried on the second; likeness is that of tokens of the second.
    """
    fit, states = (hidden_states(model, batch, level=LEVEL, seed=0) for batch in batches)
    observations = torch.from_numpy(states.observations)
    normalizer, goal_dim = model.normalizer, model.layout.goal_dim
    targets = {
        "encoder": FrameFeatures(encoder, camera.render, seen=observations, goal_dim=goal_dim)(observations),
        "state": StateFeatures(normalizer.observation_mean, normalizer.observation_std, goal_dim=goal_dim)(
            observations
        ),
    }
    chosen = np.random.default_rng(0).permutation(len(observations))[:NUM_ALIKE]
    blocks = []
    for hidden, fit_hidden in zip(states.blocks, fit.blocks, strict=True):
        probe = linear_probe(
            fit_hidden, fit.observations[:, :2], held_out=hidden, held_out_targets=states.observations[:, :2]
        )
        alike = {name: cknna(hidden[chosen], target.numpy()[chosen]) for name, target in targets.items()}
        blocks.append({"probe": {"median": probe.median, "p95": probe.p95, "r2": probe.r2}, "cknna": alike})
    return {"blocks": blocks, "tokens": len(observations)}


def validation_loss(run: Path, step: int) -> float | None:
    """The denoising loss on held-out windows that the training logged at a step."""
    for line in (run / "metrics.jsonl").read_text().splitlines():
        entry = json.loads(line)
        if entry["step"] == step and "validation/loss" in entry:
            return entry["validation/loss"]
    return None


def score(weights: Path, *, env: str, words: Sequence[str]) -> dict[str, Any]:
    """The metrics of one ``dfplan eval``."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(StringIO()):
        if dfplan(["eval", f"env={env}", f"weights={weights}", *words, f"output={folder}/out"]):
            raise RuntimeError("dfplan eval failed; its message stands above")
        metrics = json.loads((Path(folder) / "out" / "results.json").read_text())["metrics"]
    return {name: metrics[name] for name in SCORES}
