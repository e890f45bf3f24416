"""Behaviour cloning of any robot, the rival of planning from the same data: the action of an observation and a goal."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dfplan.domains.frames_settings import FramesSettings
from dfplan.options import group, option
from dfplan.settings.resynthesis import ResynthesisSettings
from dfplan.settings.windows import WindowSettings
from dfplan.tasks.inputs import Inputs
from dfplan.tasks.seen import look, looks

if TYPE_CHECKING:
    from dfplan.baselines.behaviour_cloning import BehaviourCloningTask
    from dfplan.data.windows import WindowDataset

ONE_STEP = WindowSettings(steps_per_token=1, points_per_token=1, goal_jitter=0.0, restart_share=0.0, held_steps=0)


@dataclass
class Settings:
    """The options of the task."""

    width: int = option("units of a hidden layer", low=8)
    num_layers: int = option("hidden layers", low=1)
    validation_share: float = option("share of the data held out for validation", above=0, high=0.5)
    segment_goal_share: float = option(
        "share of goals that are where the data was heading; the others are later places on the way", low=0, high=1
    )
    resynthesis: ResynthesisSettings = group(ResynthesisSettings, "whether to drive the data's ways anew, faster")
    frames: FramesSettings = group(FramesSettings, "how pictures are looked at, where the environment shows some")


def build(settings: Settings, inputs: Inputs) -> "tuple[BehaviourCloningTask, WindowDataset]":
    """The task, and windows of one step with goals in hindsight.

    Raises:
        UserError: data that are missing or too short.
    """
    import torch

    from dfplan.baselines.behaviour_cloning import NAME, BehaviourCloning, BehaviourCloningTask
    from dfplan.data.split import hold_out
    from dfplan.data.windows import WindowDataset
    from dfplan.tokens import Normalizer

    data, described, beside = inputs.trajectories, {}, None
    if looks(inputs, settings.frames):
        seen = look(inputs, settings.frames, resynthesis=settings.resynthesis)
        inputs, (described, beside) = seen.inputs, seen.beside()
        data = seen.ways(settings.resynthesis)
    elif settings.resynthesis.num_steps:
        data = inputs.resynthesise(data, settings.resynthesis, scorer=inputs.domain.fit_scorer(data))
    sizes = {"observation_dim": data.observations.shape[1], "action_dim": data.actions.shape[1]}
    sizes["goal_dim"] = inputs.goal_dim
    network = {name: getattr(settings, name) for name in ("width", "num_layers")}
    windows = replace(ONE_STEP, segment_goal_share=settings.segment_goal_share)
    torch.manual_seed(inputs.seed)  # of the initial weights
    cloning = BehaviourCloning(**sizes, **network)
    cloning.normalizer = Normalizer.fit(data)
    trained, held_out = (
        WindowDataset(part, windows, num_tokens=1, goal_dim=inputs.goal_dim)
        for part in hold_out(data, share=settings.validation_share)
    )
    task = BehaviourCloningTask(
        cloning,
        rates=inputs.optimizer,
        held_out=held_out,
        beside=beside,
        metadata={
            **described,
            "env": inputs.env_name,
            "model": {"name": NAME, **network},
            **sizes,
            **inputs.robot(),
            "provenance": dict(inputs.provenance),
        },
    )
    return task, trained
