"""A frame encoder that learns from the frames alone: those close in time get close features."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dfplan.options import option
from dfplan.tasks.inputs import Inputs

if TYPE_CHECKING:
    from dfplan.training.self_supervised import FramePairs, SelfSupervisedTask


@dataclass
class Settings:
    """The options of the task."""

    loss: str = option("what keeps features apart", choices=("vicreg", "nt-xent"))
    feature_dim: int = option("numbers in a feature", low=2)
    width: int = option("channels of the first layer", low=1)
    expander_dim: int = option("width of the layers between features and loss, not kept", low=2)
    largest_gap: int = option("steps between the two frames of a pair, at most", low=1)


def build(settings: Settings, inputs: Inputs) -> "tuple[SelfSupervisedTask, FramePairs]":
    """The task and the pairs of frames it learns from.

    Raises:
        UserError: data that are missing or too short, or no camera.
    """
    import torch

    from dfplan.data.split import hold_out
    from dfplan.domains.camera import load_camera
    from dfplan.models.frame_encoder import FrameEncoder
    from dfplan.training.self_supervised import FramePairs, SelfSupervisedTask

    camera = load_camera(inputs.env_id)
    pairs, held_out = (
        FramePairs(part, camera.render, largest_gap=settings.largest_gap)
        for part in hold_out(inputs.trajectories, share=0.02)
    )
    torch.manual_seed(inputs.seed)  # of the initial weights
    task = SelfSupervisedTask(
        FrameEncoder(feature_dim=settings.feature_dim, width=settings.width),
        settings,
        rates=inputs.optimizer,
        held_out=held_out,
        metadata={"env": inputs.env_name, "provenance": dict(inputs.provenance)},
    )
    return task, pairs
