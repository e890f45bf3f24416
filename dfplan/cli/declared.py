"""Shows Hydra the defaults that the library declares, as if a file held them."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy

from hydra.core.config_store import ConfigStore

from dfplan.cli.folders import DECLARED
from dfplan.cli.planner_schema import PlannerConfig
from dfplan.cli.schema import TrainingConfig
from dfplan.cli.structure import values_of
from dfplan.domains.frames_settings import FramesSettings
from dfplan.settings.diffusion import DiffusionSettings
from dfplan.settings.resynthesis import ResynthesisSettings
from dfplan.settings.value import ValueSettings
from dfplan.tasks.groups import ModelSettings, WindowsSettings

GROUPS: dict[str, type] = {
    "planner": PlannerConfig,
    "windows": WindowsSettings,
    "diffusion": DiffusionSettings,
    "resynthesis": ResynthesisSettings,
    "model": ModelSettings,
    "training": TrainingConfig,
    "value": ValueSettings,
    "frames": FramesSettings,
}


@contextmanager
def defaults_shown(command: str | None = None) -> Iterator[None]:
    """Have Hydra find them within the block, those of a command or all, which takes longer.

    What a program of the user has stored there stays as it is.
    """
    store = ConfigStore.instance()
    groups = [name for name in GROUPS if command is None or (name == "planner") == (command != "train")]
    before = {name: deepcopy(store.repo.get(name, {})) for name in groups}
    try:
        for name in groups:
            store.store(group=name, name=DECLARED[name], node=values_of(GROUPS[name]))
        yield
    finally:
        store.repo |= before
