"""Diffusion Forcing of series that nobody acts on: tokens of observations alone, to forecast futures with."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dfplan.errors import UserError
from dfplan.options import group, option
from dfplan.settings.diffusion import DiffusionSettings
from dfplan.settings.resynthesis import ResynthesisSettings
from dfplan.tasks import forcing
from dfplan.tasks.groups import ModelSettings, WindowsSettings
from dfplan.tasks.inputs import Inputs

if TYPE_CHECKING:
    from dfplan.data.windows import WindowDataset
    from dfplan.training.forcing import ForcingTask
    from dfplan.types import Trajectories

SHORTEST = 3  # rows of an episode of which changes can be learned: a change before, and one to forecast


@dataclass
class Settings:
    """The options of the task."""

    changes: bool = option(
        "true = learn how values change from row to row, for series that come back to no level; false = the values"
    )
    steps_per_token: int = option("rows that one token stands for; they are forecast together", low=1)
    validation_share: float = option(
        "share of the data, the last of it, held out for validation; 0 = none", low=0, high=0.5
    )
    model: ModelSettings = group(ModelSettings, "the network")
    diffusion: DiffusionSettings = group(DiffusionSettings, "how noise is drawn and what is predicted")


def build(settings: Settings, inputs: Inputs) -> "tuple[ForcingTask, WindowDataset]":
    """The Diffusion Forcing task, and windows that begin anywhere.

    Raises:
        UserError: data that are missing or too short.
    """
    from dfplan.tasks.trajectory_windows import build_datasets
    from dfplan.training.forcing import ForcingTask

    forcing.check_network(settings.model.name)
    data = inputs.trajectories
    learned = changes_of(data) if settings.changes else data
    windows = WindowsSettings(
        steps_per_token=settings.steps_per_token,
        points_per_token=settings.steps_per_token,
        goal_jitter=0.0,
        restart_share=0.0,
        held_steps=0,
        validation_share=settings.validation_share,
    )
    trained, held_out = build_datasets(windows, learned, num_tokens=inputs.num_tokens, goal_dim=0)
    forcing.say_what_is_short(windows, learned, inputs, validated=held_out is not None)

    def make(*, metadata: dict[str, Any], **parts: Any) -> ForcingTask:
        described = {**metadata, "changes": settings.changes, "names": list(data.observation_names)}
        return ForcingTask(metadata=described, absent=frozenset({"actions", "rewards"}), **parts)

    task = forcing.build_task(
        forcing.StateSettings(
            model=settings.model,
            resynthesis=ResynthesisSettings(num_steps=0),
            windows=windows,
            diffusion=settings.diffusion,
        ),
        inputs,
        learned,
        make=make,
        scorer=inputs.domain.fit_scorer(learned),
        validation=held_out,
    )
    return task, trained


def changes_of(data: "Trajectories") -> "Trajectories":
    """The changes from row to row of every episode of three rows or more; the others are left out.

    Raises:
        UserError: none is as long.
    """
    import numpy as np  # slow to import

    rows = np.split(np.asarray(data.observations, np.float64), data.starts[1:-1])
    parts = [np.diff(each, axis=0) for each in rows if len(each) >= SHORTEST]
    if not parts:
        raise UserError(f"no episode of {data.source} has {SHORTEST} rows; there are no changes to learn from")
    changes = np.concatenate(parts).astype(np.float32)
    return replace(
        data,
        observations=changes,
        actions=np.zeros((len(changes), 0), np.float32),
        starts=np.cumsum([0, *map(len, parts)]),
        segment_ends=np.zeros(len(changes), bool),
        **{name: None for name in data.per_row() if name not in ("observations", "actions", "segment_ends")},
    )
