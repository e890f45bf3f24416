"""Inverse dynamics, on states or on what is seen in frames: which action leads from here to there."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dfplan.domains.frames_settings import FramesSettings
from dfplan.options import group, option
from dfplan.settings.resynthesis import ResynthesisSettings
from dfplan.tasks.inputs import Inputs
from dfplan.tasks.seen import look, looks

if TYPE_CHECKING:
    from dfplan.training.inverse_dynamics import InverseDynamicsTask, ObservationPairs


@dataclass
class Settings:
    """The options of the task."""

    most_steps: int = option("largest number of steps between the two observations", low=1, high=1000)
    width: int = option("hidden size", low=8)
    validation_share: float = option("share of the data held out for validation", above=0, high=0.5)
    resynthesis: ResynthesisSettings = group(ResynthesisSettings, "whether to drive the data's ways anew, faster")
    frames: FramesSettings = group(FramesSettings, "how frames are looked at, where the environment shows frames")


def build(settings: Settings, inputs: Inputs) -> "tuple[InverseDynamicsTask, ObservationPairs]":
    """The task and the pairs of observations it learns from.

    Raises:
        UserError: data that are missing or too short, or no tokenizer for an environment that shows frames.
    """
    import torch

    from dfplan.data.split import hold_out
    from dfplan.models.inverse_dynamics import InverseDynamics
    from dfplan.training.inverse_dynamics import InverseDynamicsTask, ObservationPairs, look_at

    if looks(inputs, settings.frames):
        data = look(inputs, settings.frames, resynthesis=settings.resynthesis).ways(settings.resynthesis)
    else:
        data = inputs.trajectories
        data = inputs.resynthesise(data, settings.resynthesis, scorer=inputs.domain.fit_scorer(data))
    torch.manual_seed(inputs.seed)  # of the initial weights
    sizes = {"observation_dim": data.observations.shape[1], "action_dim": data.actions.shape[1]}
    inverse = InverseDynamics(**sizes, most_steps=settings.most_steps, width=settings.width)
    look_at(inverse, data)
    parts = hold_out(data, share=settings.validation_share)
    pairs, held_out = (ObservationPairs(part, most_steps=settings.most_steps) for part in parts)
    task = InverseDynamicsTask(
        inverse,
        rates=inputs.optimizer,
        held_out=held_out,
        metadata={"env": inputs.env_name, "provenance": dict(inputs.provenance)},
    )
    return task, pairs
