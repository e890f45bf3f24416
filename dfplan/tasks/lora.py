"""Adapts a trained planner to a changed environment by training a few percent of its parameters: LoRA, through peft."""

from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING, Any

from dfplan.options import group, option
from dfplan.settings.diffusion import DiffusionSettings
from dfplan.settings.resynthesis import ResynthesisSettings
from dfplan.tasks import forcing
from dfplan.tasks.groups import ModelSettings, WindowsSettings
from dfplan.tasks.inputs import Inputs

if TYPE_CHECKING:
    from dfplan.training.forcing import ForcingTask
    from dfplan.training.task import Dataset


@dataclass
class Settings:
    """The options of the task; the network is that of the base."""

    resynthesis: ResynthesisSettings = group(ResynthesisSettings, "whether to drive the data's ways anew, faster")
    windows: WindowsSettings = group(WindowsSettings, "what the model is shown of the data")
    diffusion: DiffusionSettings = group(DiffusionSettings, "how noise is drawn and what is predicted")
    base: str = option("the planner to adapt: bundled weights by name, such as maze2d-large, or a folder")
    rank: int = option("rank of what is added to every matrix; 0 = train all weights instead", low=0)
    alpha: float = option("additions are scaled by alpha / rank", above=0)


def build(settings: Settings, inputs: Inputs) -> "tuple[ForcingTask, Dataset]":
    """The adaptation and the windows it learns from.

    Raises:
        UserError: there is no such base, it does not fit the settings, peft is not installed, or data are too short.
    """
    from dfplan.models.bundle import bundle_checksum
    from dfplan.models.forcing_model import load_forcing_model
    from dfplan.models.library import folder_of
    from dfplan.training.lora import LoraTask, require_peft

    inputs.check_states()
    if settings.rank:
        require_peft()
    folder = folder_of(settings.base)
    base = load_forcing_model(folder)
    # What a description leaves out is either not said of this kind of network, or older than the choice.
    sizes: dict[str, Any] = {each.name: None for each in fields(ModelSettings)} | {"causal": True}
    sizes |= dict(base.metadata["model"])
    ordinary = forcing.StateSettings(
        model=ModelSettings(**sizes),
        resynthesis=settings.resynthesis,
        windows=settings.windows,
        diffusion=settings.diffusion,
    )
    origin = {"base": base.metadata["env"], "base_sha256": bundle_checksum(folder)}
    make = partial(LoraTask, base=base, rank=settings.rank, alpha=settings.alpha, origin=origin)
    return forcing.build_training(ordinary, inputs, make=make)
