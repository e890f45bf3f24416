"""A planner of a moment's training on data that a test has made."""

from pathlib import Path

import torch

from dfplan.data.windows import WindowDataset
from dfplan.models.forcing_model import ForcingModel, build_denoiser, load_forcing_model
from dfplan.scorers import ReturnScorer
from dfplan.settings.diffusion import DiffusionSettings
from dfplan.settings.training import OptimizerSettings
from dfplan.settings.windows import WindowSettings
from dfplan.tokens import Normalizer, TokenLayout
from dfplan.training import Settings, train
from dfplan.training.forcing import ForcingTask
from dfplan.types import Trajectories


def trained_on(
    data: Trajectories,
    layout: TokenLayout,
    *,
    diffusion: DiffusionSettings,
    num_tokens: int,
    num_steps: int,
    run: Path,
    segment_goal_share: float = 0.0,
) -> ForcingModel:
    """It scores plans by rewards; a transformer of width 16 with one layer."""
    torch.manual_seed(0)
    sizes = {"width": 16, "num_layers": 1}
    task = ForcingTask(
        denoiser=build_denoiser("transformer", layout=layout, **sizes),
        layout=layout,
        normalizer=Normalizer.fit(data, rewards_recorded=True),
        diffusion=diffusion,
        optimizer=OptimizerSettings(learning_rate=1e-2, matrix_learning_rate=1e-2, weight_decay=0.0),
        scorer=ReturnScorer(0.9, None),
        validation=None,
        metadata={"env": "none", "model": {"name": "transformer", **sizes}, "num_tokens": num_tokens},
    )
    windows = WindowSettings(
        steps_per_token=layout.steps_per_token,
        points_per_token=1,
        segment_goal_share=segment_goal_share,
        held_steps=0,
    )
    settings = Settings(batch_size=32, num_steps=num_steps, seed=0, device="cpu", decay="constant")
    drawn = WindowDataset(data, windows, num_tokens=num_tokens, goal_dim=0)
    train(task, drawn, settings, run_folder=run, progress=False)
    return load_forcing_model(run / "model")
