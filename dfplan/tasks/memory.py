"""A planner that remembers, or, for comparison, one that does not, from demonstrations that the domain drives."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dfplan.errors import UserError
from dfplan.options import group, option
from dfplan.settings.diffusion import DiffusionSettings
from dfplan.settings.resynthesis import ResynthesisSettings
from dfplan.tasks import forcing
from dfplan.tasks.groups import ModelSettings, WindowsSettings
from dfplan.tasks.inputs import Inputs

if TYPE_CHECKING:
    from dfplan.data.episode_windows import EpisodeWindows
    from dfplan.training.forcing import ForcingTask
    from dfplan.types import Trajectories

NUM_TOKENIZER_FRAMES = 1500  # frames that principal components are measured on


@dataclass
class Settings:
    """The options of the task."""

    from_start: bool = option("windows begin where their episode does (memory); false = anywhere in it (no memory)")
    steps_per_token: int = option("environment steps that one token, with one observation, stands for", low=1)
    num_episodes: int = option("demonstrations", low=2)
    held_out_episodes: int = option("further demonstrations to validate on", low=2)
    noise: float = option("standard deviation of the noise on the demonstrator's actions", low=0)
    latent_dim: int = option("principal components of a frame, where the environment shows frames", low=2)
    model: ModelSettings = group(ModelSettings, "the network")
    diffusion: DiffusionSettings = group(DiffusionSettings, "how noise is drawn and what is predicted")


def build(settings: Settings, inputs: Inputs) -> "tuple[ForcingTask, EpisodeWindows]":
    """The Diffusion Forcing task, and windows of demonstrations that are driven here.

    Raises:
        UserError: the environment has no demonstrator.
    """
    from dfplan.data.episode_windows import EpisodeWindows
    from dfplan.training.forcing import ForcingTask

    domain, described, beside = _demonstrator(inputs), {}, None
    sizes = {"num_steps": inputs.num_tokens * settings.steps_per_token, "noise": settings.noise}
    with inputs.progress("demonstrations") as show:  # of seeds that no other training has, whatever its own is
        driven = domain.demonstrate(settings.num_episodes, seed=2 * inputs.seed, on_progress=show, **sizes)
        held_out = domain.demonstrate(settings.held_out_episodes, seed=2 * inputs.seed + 1, on_progress=show, **sizes)
    scorer = domain.fit_scorer(driven)
    if domain.shows_frames:
        from dfplan.models.sight import copier, open_sight

        shown, shown_out = domain.show(driven), domain.show(held_out)
        folder = _fit_tokenizer(shown, inputs, latent_dim=settings.latent_dim)
        sight, cache = open_sight(folder, shown, stack=1, stride=1), inputs.cache_folder / "seen"
        with inputs.progress("frames looked at") as show:
            driven = sight.look(shown, cache_folder=cache, on_progress=show)
        held_out = sight.look(shown_out, cache_folder=cache)
        described, beside = {"frames": sight.description()}, copier(folder)
    windows, validation = (
        EpisodeWindows(
            part,
            steps_per_token=settings.steps_per_token,
            steps_per_point=settings.steps_per_token,
            num_tokens=inputs.num_tokens,
            from_start=settings.from_start,
            goal_dim=inputs.goal_dim,
        )
        for part in (driven, held_out)
    )
    task = forcing.build_task(
        forcing.StateSettings(
            model=settings.model,
            resynthesis=ResynthesisSettings(),  # not used: the task alone is built
            windows=_windows(settings.steps_per_token, goal_radius=domain.goal_radius),
            diffusion=settings.diffusion,
        ),
        inputs,
        driven,
        make=ForcingTask,
        scorer=scorer,
        validation=validation,
    )
    task.metadata |= described
    task.beside = beside
    return task, windows


def _demonstrator(inputs: Inputs) -> Any:
    """The domain, which drives demonstrations.

    Raises:
        UserError: it does not.
    """
    if not hasattr(inputs.domain, "demonstrate"):
        raise UserError(
            f"task=memory learns from demonstrations that are driven for it, and nobody drives {inputs.env_name}; give "
            "env=tmaze or env=pixel-tmaze, or another task"
        )
    return inputs.domain


def _fit_tokenizer(shown: "Trajectories", inputs: Inputs, *, latent_dim: int) -> Path:
    """The folder of principal components of what the demonstrations show."""
    import numpy as np
    import torch

    from dfplan.models.tokenizers import PrincipalTokenizer, save_tokenizer

    (frames,) = (shown.pictures or {}).values()
    count = min(NUM_TOKENIZER_FRAMES, len(shown))
    rows = np.random.default_rng(inputs.seed).choice(len(shown), size=count, replace=False)
    tokenizer = PrincipalTokenizer(latent_dim=latent_dim)
    tokenizer.fit(torch.from_numpy(frames.at(rows)))
    folder = inputs.cache_folder / "tokenizers" / f"{inputs.env_name}-{latent_dim}-{frames.checksum[:16]}"
    metadata = {"env": inputs.env_name, "tokenizer": {"name": "principal", "latent_dim": latent_dim}}
    save_tokenizer(folder, tokenizer.eval(), metadata)
    return folder


def _windows(steps_per_token: int, *, goal_radius: float) -> WindowsSettings:
    """One observation a token, and no goals."""
    return WindowsSettings(
        steps_per_token=steps_per_token,
        points_per_token=1,
        goal_jitter=0.0,
        restart_share=0.0,
        segment_goal_share=0.0,
        collected_share=0.0,
        held_steps=0,
        goal_radius=goal_radius,
        validation_share=0.0,
    )
