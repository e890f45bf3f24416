"""A planner that remembers, or, for comparison, one that does not, from demonstrations of the T-maze."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dfplan.options import group, option
from dfplan.tasks.groups import DiffusionSettings, ModelSettings, RetraceSettings, WindowsSettings
from dfplan.tasks.inputs import Inputs

if TYPE_CHECKING:
    from dfplan.data.episode_windows import EpisodeWindows
    from dfplan.training.forcing import ForcingTask


@dataclass
class Settings:
    """The options of the task."""

    from_start: bool = option("windows begin where their episode does (memory); false = anywhere in it (no memory)")
    steps_per_token: int = option("environment steps that one token, with one observation, stands for", low=1)
    num_episodes: int = option("demonstrations", low=2)
    held_out_episodes: int = option("further demonstrations to validate on", low=2)
    noise: float = option("standard deviation of the noise on the demonstrator's actions", low=0)
    model: ModelSettings = group(ModelSettings, "the network")
    diffusion: DiffusionSettings = group(DiffusionSettings, "how noise is drawn and what is predicted")


def build(settings: Settings, inputs: Inputs) -> "tuple[ForcingTask, EpisodeWindows]":
    """The Diffusion Forcing task, and windows of demonstrations that are driven here.

    Raises:
        UserError: the environment is no T-maze.
    """
    from dfplan.data.demonstrations import demonstrate_tmaze
    from dfplan.data.dynamics import fit_point_mass
    from dfplan.data.episode_windows import EpisodeWindows
    from dfplan.data.support import measure_support
    from dfplan.tasks import forcing

    steps = settings.steps_per_token
    with inputs.progress("demonstrations") as show:
        data, held_out = (
            demonstrate_tmaze(
                inputs.env_id,
                num_episodes=num_episodes,
                num_steps=inputs.num_tokens * steps,
                seed=seed,
                noise=settings.noise,
                on_progress=show,
            )
            # Seeds that no other training has, whatever its own is.
            for num_episodes, seed in (
                (settings.num_episodes, 2 * inputs.seed),
                (settings.held_out_episodes, 2 * inputs.seed + 1),
            )
        )
    windows, validation = (
        EpisodeWindows(
            part,
            steps_per_token=steps,
            steps_per_point=steps,
            num_tokens=inputs.num_tokens,
            from_start=settings.from_start,
        )
        for part in (data, held_out)
    )
    task = forcing.build_task(
        forcing.Settings(
            model=settings.model,
            retrace=RetraceSettings(),  # not used: the task alone is built
            windows=_windows(steps),
            diffusion=settings.diffusion,
        ),
        inputs,
        data,
        point_mass=fit_point_mass(replace(data, observations=data.observations[:, :4])),
        support=measure_support(data),
        validation=validation,  # type: ignore[arg-type]
    )
    return task, windows


def _windows(steps_per_token: int) -> WindowsSettings:
    """One observation a token, and no goals."""
    return WindowsSettings(
        steps_per_token=steps_per_token,
        points_per_token=1,
        goal_jitter=0.0,
        restart_share=0.0,
        segment_goal_share=0.0,
        goal_radius=0.5,
        validation_share=0.0,
    )
