"""Diffuser, the baseline, for plans to a fixed goal; it has its own fixed ways of cutting windows and of drawing noise.

As published it learns from the data as collected; ``resynthesis.num_steps`` shows it the ways that
our planner is shown.
"""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from dfplan.errors import UserError
from dfplan.options import group
from dfplan.settings.resynthesis import ResynthesisSettings
from dfplan.tasks.groups import ModelSettings
from dfplan.tasks.inputs import Inputs

if TYPE_CHECKING:
    from dfplan.baselines.diffuser import DiffuserTask, SegmentWindows


@dataclass
class Settings:
    """The options of the task."""

    model: ModelSettings = group(ModelSettings, "the network")
    resynthesis: ResynthesisSettings = group(ResynthesisSettings, "whether to drive the data's ways anew, faster")


def build(settings: Settings, inputs: Inputs) -> "tuple[DiffuserTask, SegmentWindows]":
    """The task and its windows.

    Raises:
        UserError: no horizon or levels given, a horizon that the network cannot halve, or data without a window.
    """
    import torch

    from dfplan.baselines.diffuser import DiffuserTask, SegmentWindows, TemporalUnet

    inputs.check_states()
    sizes = {name: value for name, value in asdict(settings.model).items() if value is not None}
    if sizes["name"] != "diffuser" or "horizon" not in sizes or "num_levels" not in sizes:
        raise UserError(
            "task=diffuser needs model.horizon and model.num_levels of model=diffuser; recipe=diffuser-large has the "
            "published"
        )
    scorer: Any = inputs.domain.fit_scorer(inputs.trajectories)
    trajectories = inputs.resynthesise(inputs.trajectories, settings.resynthesis, scorer=scorer)
    action_dim, observation_dim = trajectories.actions.shape[1], trajectories.observations.shape[1]
    torch.manual_seed(inputs.seed)  # of the initial weights
    unet = TemporalUnet(token_dim=action_dim + observation_dim, width=sizes["width"], num_layers=sizes["num_layers"])
    if sizes["horizon"] % unet.step_multiple:
        raise UserError(f"model.horizon must be a multiple of {unet.step_multiple}; got {sizes['horizon']}")
    goal = inputs.domain.situation(start=None, goal=None, seed=inputs.seed).goal
    windows = SegmentWindows(trajectories, goal=goal, goal_radius=scorer.goal_radius, horizon=sizes["horizon"])
    task = DiffuserTask(
        unet=unet,
        normalizer=windows.normalizer(),
        num_levels=sizes["num_levels"],
        learning_rate=inputs.optimizer.learning_rate,
        compiled=inputs.optimizer.compiled,
        metadata={
            "env": inputs.env_name,
            "model": {name: sizes[name] for name in ("name", "width", "num_layers", "horizon", "num_levels")},
            "action_dim": action_dim,
            "observation_dim": observation_dim,
            "provenance": inputs.provenance,
            **scorer.describe()[0],
        },
    )
    return task, windows
