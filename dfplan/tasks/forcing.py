"""Diffusion Forcing: the planner, a denoiser of trajectory tokens that each have a noise level of their own."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from dfplan import plugins
from dfplan.domains.frames_settings import FramesSettings
from dfplan.errors import UserError
from dfplan.options import group
from dfplan.settings.diffusion import DiffusionSettings
from dfplan.settings.resynthesis import ResynthesisSettings
from dfplan.settings.value import ValueSettings
from dfplan.tasks.groups import ModelSettings, WindowsSettings
from dfplan.tasks.inputs import Inputs
from dfplan.tasks.seen import look, looks

if TYPE_CHECKING:
    import numpy as np

    from dfplan.domain import PlanScorer
    from dfplan.training.forcing import ForcingTask
    from dfplan.training.task import Dataset
    from dfplan.types import Trajectories


@dataclass
class StateSettings:
    """The options of the task, where states are shown."""

    model: ModelSettings = group(ModelSettings, "the network")
    resynthesis: ResynthesisSettings = group(ResynthesisSettings, "whether to drive the data's ways anew, faster")
    windows: WindowsSettings = group(WindowsSettings, "what the model is shown of the data")
    diffusion: DiffusionSettings = group(DiffusionSettings, "how noise is drawn and what is predicted")
    value: ValueSettings = group(ValueSettings, "what comes after the end of a plan that is scored by rewards")


@dataclass
class Settings(StateSettings):
    """The options of the task."""

    frames: FramesSettings = group(FramesSettings, "how pictures are looked at, where the environment shows some")


def build(settings: Settings, inputs: Inputs) -> "tuple[ForcingTask, Dataset]":
    """The Diffusion Forcing task and the windows it learns from.

    Raises:
        UserError: data that are missing or too short, settings that contradict each other, or no tokenizer for an
            environment that shows pictures.
    """
    from dfplan.training.forcing import ForcingTask

    if not looks(inputs, settings.frames):
        return build_training(settings, inputs, make=ForcingTask)
    check_network(settings.model.name)
    check_ways(settings, inputs)
    share = settings.windows.collected_share
    seen = look(inputs, settings.frames, resynthesis=settings.resynthesis, with_collected=share > 0)
    described, beside = seen.beside()
    if seen.driven is not None:  # a goal is a picture: what is beside it is none
        settings = replace(settings, windows=replace(settings.windows, goal_jitter=0.0))
    task, windows = learn(settings, seen.inputs, make=ForcingTask, scorer=seen.scorer, driven=seen.driven)
    task.metadata |= described
    task.beside = beside
    return task, windows


def build_training(
    settings: StateSettings, inputs: Inputs, *, make: "Callable[..., ForcingTask]"
) -> "tuple[ForcingTask, Dataset]":
    """The task that ``make`` makes of the arguments of ``ForcingTask``, and the windows.

    Raises:
        UserError: data that are too short, or settings that contradict each other or the domain.
    """
    check_network(settings.model.name)
    check_ways(settings, inputs)
    return learn(settings, inputs, make=make, scorer=inputs.domain.fit_scorer(inputs.trajectories))


def learn(
    settings: StateSettings,
    inputs: Inputs,
    *,
    make: "Callable[..., ForcingTask]",
    scorer: "PlanScorer",
    driven: "Trajectories | None" = None,
) -> "tuple[ForcingTask, Dataset]":
    """The same of settings that were checked; ``driven`` are trajectories that were resynthesised already."""
    from dfplan.tasks.trajectory_windows import mix_datasets

    collected = inputs.trajectories
    settings, scorer = with_one_radius(settings, with_value(scorer, settings.value, inputs), inputs)
    trajectories = inputs.resynthesise(collected, settings.resynthesis, scorer=scorer) if driven is None else driven
    windows, validation = mix_datasets(
        settings.windows,
        trajectories,
        collected=collected,
        num_tokens=inputs.num_tokens,
        goal_dim=inputs.goal_dim,
        goal_dropped=settings.diffusion.goal_dropped,
        weigh=weigher(scorer, settings, window_steps=inputs.num_tokens * settings.windows.steps_per_token),
    )
    say_what_is_short(settings.windows, trajectories, inputs, validated=validation is not None)
    return build_task(settings, inputs, trajectories, make=make, scorer=scorer, validation=validation), windows


def say_what_is_short(
    windows: WindowsSettings, trajectories: "Trajectories", inputs: Inputs, *, validated: bool
) -> None:
    """Tell of episodes that no token can be cut from, and of too few rows to hold one out."""
    import numpy as np

    token = f"a token of {windows.steps_per_token} steps"
    rows, episodes = len(trajectories), len(trajectories.starts) - 1
    short = int(np.count_nonzero(np.diff(trajectories.starts) <= windows.steps_per_token))
    if short:
        inputs.say(
            f"{trajectories.source}: {short:,} of {episodes:,} episodes are shorter than {token}, so nothing is "
            "learned from them"
        )
    if windows.validation_share and not validated:
        inputs.say(
            f"{trajectories.source}: windows.validation_share={windows.validation_share:g} of its {rows:,} rows are "
            f"less than {token}, so all are learned from and none validates"
        )


def check_network(name: str) -> None:
    """Refuse a network that nobody knows now, rather than after minutes of work on the data.

    Raises:
        UserError: nobody does, or it is trained by another task.
    """
    from dfplan.models.forcing_model import DENOISERS

    if name == "diffuser":
        raise UserError("model=diffuser is what task=diffuser trains; give task=diffuser, or another model")
    plugins.find("denoisers", name, own=DENOISERS)


def check_ways(settings: StateSettings, inputs: Inputs) -> None:
    """Refuse to resynthesise what cannot be, and to hold ends at which nothing stands still for as long.

    Raises:
        UserError: the settings ask for that.
    """
    windows, resynthesis = settings.windows, settings.resynthesis
    if not inputs.domain.can_resynthesise and (resynthesis.num_steps or windows.held_steps):
        raise UserError(
            f"the trajectories of {inputs.env_name} cannot be resynthesised; give resynthesis=none and "
            "windows.held_steps=0, or leave both out"
        )
    if not inputs.domain.can_resynthesise and windows.collected_share and settings.value.temperature is None:
        raise UserError(
            "windows.collected_share is for windows that are not as the data are: for resynthesised trajectories, "
            f"which those of {inputs.env_name} cannot be, or with value.temperature; leave it out"
        )
    standing = resynthesis.shortest_hold if resynthesis.num_steps else 0
    if windows.held_steps > standing:
        raise UserError(
            f"windows.held_steps={windows.held_steps} wants ways that end standing still for as long, and "
            f"these do for {standing} steps at least; with resynthesis=none give windows=collected, else a longer "
            "resynthesis.shortest_hold"
        )


def with_value(scorer: "PlanScorer", settings: ValueSettings, inputs: Inputs) -> "PlanScorer":
    """A scorer by rewards with the value at the end that is asked for.

    Raises:
        UserError: it scores plans by something else, which has no such value.
    """
    if settings.kind == "features":
        return scorer
    from dfplan.scorers import ReturnScorer
    from dfplan.training.value import train_value

    if not isinstance(scorer, ReturnScorer):
        raise UserError(
            f"value.kind={settings.kind} is for plans that are scored by rewards, and those of {inputs.env_name} are "
            f"by {scorer.kind}; leave it out"
        )
    with inputs.progress("value of states") as show:
        value = train_value(inputs.trajectories, settings, seed=inputs.seed, on_progress=show)
    return ReturnScorer(settings.discount, value)


def weigher(
    scorer: "PlanScorer", settings: StateSettings, *, window_steps: int
) -> "Callable[[Trajectories], np.ndarray] | None":
    """What says how often windows of ``window_steps`` begin at each row; None where they do everywhere alike."""
    if settings.value.temperature is None:
        return None
    from dfplan.scorers import ReturnScorer
    from dfplan.scorers.networks import ValueNetworks
    from dfplan.training.value import advantage_weights

    assert isinstance(scorer, ReturnScorer)  # as with_value has seen to
    value = scorer.value
    assert isinstance(value, ValueNetworks)
    numbers = {"discount": settings.value.discount, "temperature": settings.value.temperature}
    steps = settings.value.advantage_steps or window_steps
    return lambda part: advantage_weights(part, value, num_steps=steps, **numbers)


def with_one_radius(settings: StateSettings, scorer: Any, inputs: Inputs) -> tuple[StateSettings, "PlanScorer"]:
    """Both with the same distance that counts as being at the goal.

    It is the settings' where trajectories are resynthesised, as they say then how long is stood there;
    elsewhere the scorer's.
    """
    radius, sees_latents = getattr(scorer, "goal_radius", None), inputs.seen_goal_dim is not None
    if inputs.domain.can_resynthesise and not sees_latents:
        return settings, replace(scorer, goal_radius=settings.windows.goal_radius)
    if radius is None:
        return settings, scorer
    if not sees_latents:
        inputs.say(f"{inputs.env_name}: at the goal is within {radius:.4g} of it, by the environment's own rewards")
    return replace(settings, windows=replace(settings.windows, goal_radius=radius)), scorer


def build_task(
    settings: StateSettings,
    inputs: Inputs,
    trajectories: "Trajectories",
    *,
    make: "Callable[..., ForcingTask]",
    scorer: "PlanScorer",
    validation: "Dataset | None",
) -> "ForcingTask":
    """The task alone, its network with initial weights."""
    import torch

    from dfplan.models.forcing_model import build_denoiser
    from dfplan.tasks.trajectory_windows import build_layout
    from dfplan.tokens import Normalizer

    diffusion = settings.diffusion
    if settings.windows.held_steps:  # windows themselves say then which of them show no goal
        diffusion = replace(diffusion, goal_dropped=0.0)
    layout = build_layout(settings.windows, trajectories, goal_dim=inputs.goal_dim)
    earns = trajectories.rewards is not None  # nothing does where nobody acts
    model: dict[str, Any] = {name: value for name, value in asdict(settings.model).items() if value is not None}
    sizes = {name: value for name, value in model.items() if name != "name"}
    torch.manual_seed(inputs.seed)  # of the initial weights
    return make(
        denoiser=build_denoiser(settings.model.name, layout=layout, **sizes),
        layout=layout,
        normalizer=Normalizer.fit(trajectories, rewards_recorded=not inputs.goal_dim and earns),
        diffusion=diffusion,
        optimizer=inputs.optimizer,
        scorer=scorer,
        validation=validation,
        metadata={
            "env": inputs.env_name,
            "model": model,
            "num_tokens": inputs.num_tokens,
            "provenance": inputs.provenance,
            **({"acting": dict(inputs.acting)} if inputs.acting else {}),
            **inputs.robot(),
        },
    )
