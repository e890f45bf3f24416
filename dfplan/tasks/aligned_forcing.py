"""Diffusion Forcing whose hidden states are aligned with features of the clean frames (REPA, arXiv 2410.06940)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dfplan.options import option
from dfplan.tasks import forcing
from dfplan.tasks.inputs import Inputs

if TYPE_CHECKING:
    from torch import nn

    from dfplan.training.alignment import AlignedForcingTask, FrameFeatures, StateFeatures
    from dfplan.training.forcing import ForcingTask
    from dfplan.training.task import Dataset

STATE = "state"
NUM_MEASURED = 2048  # frames on which the features' mean and spread are measured


@dataclass
class Settings(forcing.Settings):
    """The options of the task: those of task=forcing, and the alignment."""

    encoder: str = option(
        "whose features: random (a control), state (privileged: no frame is looked at), or the folder of a run of "
        "task=self-supervised"
    )
    camera: str | None = option("Gymnasium id whose camera draws the frames; null = that of env", characters="-.")
    depth: int = option("block whose output is aligned, from 1", low=1)
    weight: float = option("of the alignment beside the denoising loss; 0 = none", low=0)
    loss: str = option("how alike hidden states and features are", choices=("cosine", "nt-xent"))
    temperature: float = option("of nt-xent", above=0)
    aligned_tokens: int = option("tokens of a batch that are aligned, drawn anew at each step", low=2)


def build(
    settings: Settings, inputs: Inputs, *, given: "Mapping[str, nn.Module] | None" = None
) -> "tuple[ForcingTask | AlignedForcingTask, Dataset]":
    """The task and the windows it learns from; with weight 0, the plain task on the same windows.

    Args:
        settings: the options of the task.
        inputs: what every task is given.
        given: networks that ``task.encoder`` may name, such as ``{"dinov2": network}``: dfplan downloads none.

    Raises:
        UserError: as task=forcing, or the encoder or the camera is not to be had.
    """
    from dfplan.training.alignment import AlignedForcingTask

    task, windows = forcing.build(settings, inputs)
    if settings.weight == 0:
        return task, windows
    target = build_target(settings, inputs, task, given=given)
    return AlignedForcingTask(task, settings, target=target, feature_dim=target.feature_dim), windows


def build_target(
    settings: Settings, inputs: Inputs, task: "ForcingTask", *, given: "Mapping[str, nn.Module] | None" = None
) -> "FrameFeatures | StateFeatures":
    """What hidden states are aligned with."""
    import numpy as np
    import torch

    from dfplan.domains.camera import load_camera
    from dfplan.models.frame_encoder import frozen_encoder
    from dfplan.training.alignment import FrameFeatures, StateFeatures

    if settings.encoder == STATE:
        normalizer = task.normalizer
        return StateFeatures(normalizer.observation_mean, normalizer.observation_std, goal_dim=inputs.goal_dim)
    camera = load_camera(settings.camera or inputs.env_id)
    encoder = frozen_encoder(settings.encoder, seed=inputs.seed, given=given)
    seen = inputs.trajectories.observations
    rows = np.random.default_rng(inputs.seed).integers(len(seen), size=NUM_MEASURED)
    return FrameFeatures(encoder, camera.render, seen=torch.as_tensor(seen[rows]), goal_dim=inputs.goal_dim)
